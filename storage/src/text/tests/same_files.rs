//! What the index writer makes of rows, byte for byte, against what tantivy's own writer makes of their
//! strings and terms.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use tantivy::directory::RamDirectory;
use tantivy::schema::{Field, TantivyDocument};
use tantivy::store::Compressor;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{Directory, Index, IndexSettings};

use super::agreement::random_span;
use super::{Lcg, TestSpan, batch};
use crate::packed::{STORED_ATTRIBUTES, whole_attributes};
use crate::text::index::{RAW_FIELD, VALUES_FIELD, WORDS_FIELD, schema};
use crate::text::leaves::{SpanText, TextColumns};
use crate::text::row_terms::RowTerms;
use crate::text::tokenizer::Words;
use crate::text::{TextLocation, TextWriter, words};

/// Cuts as [`Words`] does, or not at all.
#[derive(Clone, Default)]
struct Cut {
    words: bool,
    tokens: Vec<Token>,
}

struct CutStream<'a> {
    tokens: &'a mut Vec<Token>,
    next: usize,
}

impl Tokenizer for Cut {
    type TokenStream<'a> = CutStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> CutStream<'a> {
        let token = |text: &str, position| Token {
            text: text.to_owned(),
            position,
            ..Token::default()
        };
        self.tokens.clear();
        if !self.words {
            self.tokens.push(token(text, 0));
            return CutStream {
                tokens: &mut self.tokens,
                next: 0,
            };
        }
        let (mut words, mut word) = (Words::new(text), String::new());
        while words.next(&mut word).is_some() {
            self.tokens.push(token(&word, self.tokens.len()));
        }
        CutStream {
            tokens: &mut self.tokens,
            next: 0,
        }
    }
}

impl TokenStream for CutStream<'_> {
    fn advance(&mut self) -> bool {
        self.next += 1;
        self.next <= self.tokens.len()
    }

    fn token(&self) -> &Token {
        &self.tokens[self.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.tokens[self.next - 1]
    }
}

/// The files of tantivy's own writer, by extension.
fn files_of_tantivy(spans: &[TestSpan]) -> Vec<(String, Vec<u8>)> {
    let directory = RamDirectory::create();
    let tokenizers = TokenizerManager::default();
    for (_, entry) in schema().fields() {
        let options = entry.field_type().get_index_record_option().unwrap();
        let tantivy::schema::FieldType::Str(text) = entry.field_type() else {
            unreachable!()
        };
        let name = text.get_indexing_options().unwrap().tokenizer().to_owned();
        tokenizers.register(
            &name,
            Cut {
                words: options.has_positions(),
                tokens: Vec::new(),
            },
        );
    }
    let settings = IndexSettings {
        docstore_compression: Compressor::None,
        ..IndexSettings::default()
    };
    let term_text =
        |terms: &RowTerms, term| String::from_utf8(terms.terms.term(term).to_vec()).unwrap();
    let mut writer = Index::builder()
        .schema(schema())
        .settings(settings)
        .tokenizers(tokenizers)
        .single_segment_index_writer::<TantivyDocument>(directory.clone(), 64 << 20)
        .unwrap();
    let batch = batch(spans);
    let columns = TextColumns::new(&batch).unwrap();
    let (mut text, mut terms) = (SpanText::default(), RowTerms::default());
    let (mut seen, mut documents) = (HashSet::new(), Vec::new());
    for row in 0..columns.rows() {
        let row = columns.row(row).unwrap();
        text.fill(&row.strings());
        for string in text.fields().into_iter().flat_map(|list| list.iter()) {
            if !words(string).is_empty() && seen.insert(string.to_owned()) {
                let mut document = TantivyDocument::default();
                document.add_text(Field::from_field_id(WORDS_FIELD), string);
                documents.push(document);
            }
        }
    }
    documents.resize(
        documents.len().max(columns.rows()),
        TantivyDocument::default(),
    );
    for (row, document) in documents.iter_mut().enumerate().take(columns.rows()) {
        let row = columns.row(row).unwrap();
        terms.fill(&row, &row.strings()).unwrap();
        for (id, list) in [(RAW_FIELD, &terms.raw), (VALUES_FIELD, &terms.values)] {
            for &term in list {
                document.add_text(Field::from_field_id(id), term_text(&terms, term));
            }
        }
    }
    documents.into_iter().for_each(|document| {
        writer.add_document(document).unwrap();
    });
    files(&writer.finalize().unwrap(), &directory)
}

fn files(index: &Index, directory: &dyn Directory) -> Vec<(String, Vec<u8>)> {
    let id = index.searchable_segment_ids().unwrap()[0].uuid_string();
    ["fieldnorm", "term", "idx", "pos"]
        .map(|kind| {
            let path = format!("{id}.{kind}");
            (
                kind.to_owned(),
                directory
                    .open_read(Path::new(&path))
                    .unwrap()
                    .read_bytes()
                    .unwrap()
                    .to_vec(),
            )
        })
        .to_vec()
}

fn files_of_ours(batches: &[RecordBatch]) -> Vec<(String, Vec<u8>)> {
    let root = tempfile::tempdir().unwrap();
    let mut writer =
        TextWriter::create(TextLocation::Directory(crate::env::Folder::at(root.path()))).unwrap();
    batches.iter().for_each(|batch| writer.add(batch).unwrap());
    writer.finish().unwrap();
    let directory = tantivy::directory::MmapDirectory::open(root.path()).unwrap();
    files(&Index::open(directory.clone()).unwrap(), &directory)
}

#[test]
fn files_are_those_of_tantivys_writer() {
    let mut random = Lcg(7);
    for count in [1, 30, 700] {
        let mut spans: Vec<TestSpan> = (0..count).map(|_| random_span(&mut random)).collect();
        // Long strings that come again, in other rows and fields and within one row.
        for (i, span) in spans.iter_mut().enumerate() {
            let long = format!("{} and again {}", "the same long message ".repeat(5), i % 5);
            span.inputs = Some(format!(r#"["{long}",{{"k":"{long}"}},"x"]"#));
            if i % 3 == 0 {
                span.outputs = Some(long);
            }
        }
        let batches: Vec<RecordBatch> = spans.chunks(9).map(batch).collect();
        assert_eq!(
            files_of_ours(&batches),
            files_of_tantivy(&spans),
            "{count} rows"
        );
    }
}

#[test]
fn attributes_as_they_are_stored_are_the_attributes() {
    let (inputs, outputs) = (
        r#"{"q":"the question, said \"twice\""}"#,
        "an answer of\nmore than a few words",
    );
    let stored = [
        "\u{1}{\"mlflow.spanInputs\":\u{2}i,\"mlflow.spanOutputs\":\u{2}o,\"n\":1}",
        "\u{1}{\"deep\":[\u{2}i,{\"x\":\u{2}o}],\"k\":\u{2}o}",
        "\u{1}{\u{2}i:1,\"b\":\u{2}i}",
        "{\"plain\":\"x\"}",
    ];
    let span = |attributes: &str| TestSpan {
        inputs: Some(inputs.to_owned()),
        outputs: Some(outputs.to_owned()),
        attributes: attributes.to_owned(),
        ..TestSpan::default()
    };
    let whole = |stored: &str| {
        whole_attributes(stored, Some(inputs), Some(outputs)).unwrap_or_else(|| stored.to_owned())
    };
    let whole: Vec<TestSpan> = stored.iter().map(|stored| span(&whole(stored))).collect();
    for span in &whole {
        serde_json::from_str::<serde_json::Value>(&span.attributes).unwrap();
    }
    let stored: Vec<TestSpan> = stored.iter().map(|stored| span(stored)).collect();
    let stored = batch(&stored);
    let name = |field: &Arc<arrow::datatypes::Field>| match field.name().as_str() {
        "attributes" => field.as_ref().clone().with_name(STORED_ATTRIBUTES),
        _ => field.as_ref().clone(),
    };
    let fields: Vec<arrow::datatypes::Field> = stored.schema().fields().iter().map(name).collect();
    let schema = Arc::new(arrow::datatypes::Schema::new(fields));
    let stored = RecordBatch::try_new(schema, stored.columns().to_vec()).unwrap();
    assert_eq!(files_of_ours(&[stored]), files_of_ours(&[batch(&whole)]));
    assert_eq!(files_of_ours(&[batch(&whole)]), files_of_tantivy(&whole));
}
