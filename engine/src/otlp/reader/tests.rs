//! Streams of every form, whole, cut short, damaged and too long.

use std::io::Write;

use super::{ReadError, Request, RequestReader, starts_with_document_line};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn lines(bytes: &[u8]) -> Vec<Result<u64, ReadError>> {
    RequestReader::new(bytes)
        .map(|request| request.map(|request| request.line().unwrap_or(0)))
        .collect()
}

fn good(bytes: &[u8]) -> Vec<u64> {
    lines(bytes).into_iter().map(Result::unwrap).collect()
}

#[test]
fn lines_documents_and_messages_are_told_apart() {
    assert_eq!(good(b"{\"a\":1}\r\n\r\n{\"b\":2}"), [1, 3]);
    assert_eq!(good(b"\xEF\xBB\xBF{\"a\":1}\n{\"b\":2}\n"), [1, 2]);
    assert_eq!(good(b"{\n \"a\": [\n \"}\"]\n}\n\n{\n}\n"), [1, 6]);
    assert_eq!(
        good(b"INFO: \"up\n{\n \"a\": 1\n}\nsaid \"so\n{\n \"b\": 2\n}\n"),
        [1, 2, 5, 6]
    );
    assert_eq!(good(b"\x0A\x00"), [0]);
    assert_eq!(good(b""), Vec::<u64>::new());
}

#[test]
fn other_output_of_any_length_may_come_before_the_first_span() {
    let noise: String = (0..9_000)
        .map(|i| format!("2026-01-01 12:00:00 INFO step {i}, {{x}} done\n"))
        .collect();
    for (object, lines) in [
        ("{\"a\": 1}\n{\"b\": 2}\n", 2),
        ("{\n  \"a\": [\n  ]\n}\n", 1),
        (
            "{\n  resource: {\n    attributes: { x: 'it\\'s }' }\n  }\n}\n",
            1,
        ),
        ("INFO: {\"resource\":{}}\n", 1),
    ] {
        let all = lines_of(&format!("{noise}{object}"));
        assert_eq!(all.len(), 9_000 + lines, "{object}");
        let last = all.last().unwrap().as_ref().unwrap();
        assert!(last.line() >= Some(9_001), "{object}");
        assert!(
            serde_json::from_slice::<serde_json::Value>(last.bytes()).is_ok(),
            "{object}: {}",
            String::from_utf8_lossy(last.bytes())
        );
    }
    let all = lines_of(&noise);
    let error = all.last().unwrap().as_ref().unwrap_err();
    assert!(error.is_fatal() && error.to_string().contains("other text"));
    assert_eq!(all.len(), 9_001);
    let container: String = (0..3_000)
        .map(|i| format!("2024-01-01T00:00:00.000000000Z stdout F step {i} of a long run\n"))
        .collect();
    let all = lines_of(&format!(
        "{container}2024-01-01T00:00:00.000000000Z stdout F {{\"a\":1}}\n"
    ));
    assert_eq!(all.last().unwrap().as_ref().unwrap().bytes(), b"{\"a\":1}");
}

fn lines_of(text: &str) -> Vec<Result<Request, ReadError>> {
    RequestReader::new(text.as_bytes()).collect()
}

fn elements(bytes: &[u8]) -> Vec<(u64, String)> {
    let element = |request: Result<Request, ReadError>| {
        let request = request.unwrap();
        (
            request.line().unwrap(),
            String::from_utf8(request.bytes().to_vec()).unwrap(),
        )
    };
    RequestReader::new(bytes).map(element).collect()
}

#[test]
fn elements_of_a_list_are_handed_over_one_by_one() {
    let list =
        b"\xEF\xBB\xBF[\n {\"a\": [1, \"]}\\\"\"]},\n{\n\"b\":2}, [3]\n]\n[{\"c\":3}]\n{\"d\":4}\n";
    let wanted = [
        (2, "{\"a\": [1, \"]}\\\"\"]}"),
        (3, "{\n\"b\":2}"),
        (4, "[3]"),
        (6, "{\"c\":3}"),
        (7, "{\"d\":4}"),
    ];
    assert_eq!(
        elements(list),
        wanted.map(|(line, text)| (line, text.to_string()))
    );
    assert_eq!(elements(b"[\n\n]"), [(3, "[]".to_string())]);
    let words = elements(b"[{},1, true,\"a\",}x]");
    let texts: Vec<&str> = words.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["{}", "1", "true", "\"a\"", "}x"]);
}

#[test]
fn a_list_of_any_length_takes_the_memory_of_an_element() {
    let list = format!(
        "[{}]",
        vec![format!("{{\"a\":\"{}\"}}", "x".repeat(700)); 5_000].join(",")
    );
    let mut reader = RequestReader::new(list.as_bytes()).with_piece_bytes_max(1_000);
    assert_eq!(reader.by_ref().filter(Result::is_ok).count(), 5_000);
    assert_eq!(reader.bytes(), list.len() as u64);
    assert!(
        reader.buffer.capacity() < 1 << 20,
        "{}",
        reader.buffer.capacity()
    );
    let cut = lines(&list.as_bytes()[..list.len() - 1]);
    assert_eq!(cut.len(), 5_001);
    assert!(
        cut[5_000]
            .as_ref()
            .unwrap_err()
            .to_string()
            .contains("cut short")
    );
    let long = format!("[{{\"a\":\"{}\"}}]", "x".repeat(1_000_000));
    let long: Vec<_> = RequestReader::new(long.as_bytes())
        .with_piece_bytes_max(1_000)
        .collect();
    assert!(long.len() == 1 && long[0].as_ref().unwrap_err().is_fatal());
}

#[test]
fn the_first_line_of_a_document_is_enough_to_begin() {
    let cri = "2024-01-01T00:00:00.000000000Z stdout F {\"a\":1}\n";
    let docker = "{\"log\":\"{\\\"a\\\":1}\\n\",\"stream\":\"stdout\",\"time\":\"t\"}\n";
    for line in ["{\"a\":1}\n", cri, docker] {
        assert!(starts_with_document_line(line.as_bytes()), "{line}");
        let text = line.repeat(2);
        let all: Vec<Vec<u8>> = RequestReader::new(text.as_bytes())
            .map(|request| request.unwrap().bytes().to_vec())
            .collect();
        assert_eq!(all, [b"{\"a\":1}".to_vec(), b"{\"a\":1}".to_vec()]);
    }
    assert!(!starts_with_document_line(
        cri.replace("{\"a\":1}", "{").as_bytes()
    ));
}

#[test]
fn rows_of_a_table_are_objects() {
    let head = "\u{feff}id,run_type,start_time,inputs\r\n";
    let text = format!("{head}a,llm,1,\"{{'q': 'x\ny'}}\"\r\n\r\nb,llm\r\nc,llm,3,\"open");
    let rows: Vec<_> = RequestReader::new(text.as_bytes()).collect();
    let first = rows[0].as_ref().unwrap();
    assert_eq!(first.line(), Some(2));
    let object = r#"{"id":"a","inputs":{"q":"x\ny"},"run_type":"llm","start_time":1}"#;
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(first.bytes()).unwrap(),
        serde_json::from_str::<serde_json::Value>(object).unwrap()
    );
    let short = rows[1].as_ref().unwrap_err();
    assert_eq!((short.line(), short.is_fatal()), (Some(5), false));
    assert!(rows.len() == 3 && rows[2].as_ref().unwrap_err().is_fatal());
    let long = format!("{head}a,llm,1,\"{}", "x\n".repeat(1_000_000));
    let mut reader = RequestReader::new(long.as_bytes()).with_piece_bytes_max(1_000);
    let long: Vec<_> = reader.by_ref().collect();
    assert!(long.len() == 1 && long[0].as_ref().unwrap_err().is_fatal());
    assert!(
        reader.buffer.capacity() < 1 << 20,
        "{}",
        reader.buffer.capacity()
    );
}

#[test]
fn messages_with_lengths_before_them_are_cut_out() {
    let message = [0x0A, 0x02, 0x12, 0x00];
    let frame = [&[0, 0, 0, 4], &message[..]].concat();
    let framed = [&frame[..], &frame, &[0, 0, 0, 0]].concat();
    let all: Vec<Vec<u8>> = RequestReader::new(&framed[..])
        .map(|request| request.unwrap().bytes().to_vec())
        .collect();
    assert_eq!(all, [message.to_vec(), message.to_vec(), Vec::new()]);
    let json = zstd::encode_all(&b"{\"a\":1}"[..], 1).unwrap();
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    let compressed = [
        &length[..],
        &json,
        &[0, 0, 0, 6],
        b"\x28\xB5\x2F\xFD\0\0",
        &length,
        &json,
    ]
    .concat();
    let all = lines(&compressed);
    assert_eq!((all[0].clone(), all[2].clone()), (Ok(1), Ok(3)));
    assert!(!all[1].as_ref().unwrap_err().is_fatal());
    let cut = lines(framed.get(..14).unwrap());
    assert_eq!(cut.len(), 2);
    let error = cut[1].as_ref().unwrap_err();
    assert!(
        error.is_fatal() && error.to_string().contains("cut short"),
        "{error}"
    );
}

#[test]
fn compression_is_told_by_its_magic_and_may_have_several_members() {
    let text = b"{\"a\":1}\n{\"b\":2}\n";
    let members = [gzip(text), gzip(text)].concat();
    assert_eq!(good(&members), [1, 2, 3, 4]);
    let frames = [
        zstd::encode_all(&text[..], 1).unwrap(),
        zstd::encode_all(&text[..], 1).unwrap(),
    ]
    .concat();
    assert_eq!(good(&frames), [1, 2, 3, 4]);
    let mut reader = RequestReader::new(&members[..]);
    assert_eq!(reader.by_ref().count(), 4);
    assert_eq!(
        (reader.bytes(), reader.input_bytes()),
        (32, members.len() as u64)
    );
}

#[test]
fn a_cut_stream_gives_what_is_complete_and_one_error() {
    let text: String = (0..20_000)
        .map(|i| format!("{{\"a\":{}}}\n", i * 7919 % 104_729))
        .collect();
    for whole in [
        gzip(text.as_bytes()),
        zstd::encode_all(text.as_bytes(), 1).unwrap(),
    ] {
        let all = lines(whole.get(..whole.len() - 400).unwrap());
        let (last, complete) = all.split_last().unwrap();
        assert!(complete.iter().all(Result::is_ok) && complete.len() > 1_000);
        let error = last.clone().unwrap_err();
        assert!(
            error.is_fatal() && error.to_string().contains("cut short"),
            "{error}"
        );
        assert_eq!(error.line(), Some(complete.len() as u64 + 1));
    }
}

#[test]
fn a_long_line_is_passed_and_the_next_is_read() {
    let text = format!(
        "{{\"a\":1}}\n{{\"b\":\"{}\"}}\n{{\"c\":3}}\n",
        "x".repeat(1_000_000)
    );
    let all: Vec<_> = RequestReader::new(text.as_bytes())
        .with_piece_bytes_max(1000)
        .collect();
    assert_eq!(all.len(), 3);
    let error = all[1].as_ref().unwrap_err();
    assert_eq!((error.line(), error.is_fatal()), (Some(2), false));
    assert_eq!(all[2].as_ref().unwrap().line(), Some(3));
}

#[test]
fn another_file_is_one_error() {
    for bytes in [
        &b"\x89PNG\r\n\x1a\n\0\0"[..],
        b"PAR1....",
        b"just text\n",
        &gzip(b"PAR1"),
    ] {
        let all = lines(bytes);
        assert_eq!(all.len(), 1);
        assert!(
            all[0]
                .as_ref()
                .unwrap_err()
                .to_string()
                .contains("expected OTLP/JSON")
        );
    }
}
