//! What changed between two contents.

use proptest::prelude::*;
use serde_json::json;

use super::super::{
    Change, ChatMessage, FieldChange, Part, Place, PromptContent, Role, Template, TemplateChange,
    diff, diff_templates,
};

fn unified(before: &str, after: &str, context_lines: usize) -> String {
    let [before, after] = [before, after].map(|text| PromptContent::parse(text).unwrap());
    diff(&before, &after).unified("one", "two", context_lines)
}

#[test]
fn equal_contents_have_no_text() {
    assert_eq!(unified("a\nb", "a\nb", 3), "");
}

#[test]
fn hunks_are_those_of_diff() {
    let before: Vec<String> = (1..=20).map(|n| n.to_string()).collect();
    let mut after = before.clone();
    after[1] = "two".into();
    after.remove(17);
    let text = unified(&before.join("\n"), &after.join("\n"), 1);
    let wanted = "--- one\n+++ two\n@@ -1,3 +1,3 @@ text\n 1\n-2\n+two\n 3\n@@ -17,3 +17,2 @@ text\n 17\n-18\n 19\n";
    assert_eq!(text, wanted);
    assert_eq!(
        unified("a", "b", 0),
        "--- one\n+++ two\n@@ -1,1 +1,1 @@ text\n-a\n+b\n"
    );
    assert_eq!(
        unified("a\nc", "a\nb\nc", 0),
        "--- one\n+++ two\n@@ -1,0 +2,1 @@ text\n+b\n"
    );
    // The whole text, when so much context is asked for.
    assert_eq!(
        unified("a\nc", "a\nb\nc", usize::MAX),
        "--- one\n+++ two\n@@ -1,2 +1,3 @@ text\n a\n+b\n c\n"
    );
}

#[test]
fn a_last_line_end_is_seen() {
    assert_eq!(
        unified("a", "a\n", 1),
        "--- one\n+++ two\n@@ -1,1 +1,2 @@ text\n a\n+\n"
    );
}

#[test]
fn chats_are_compared_by_message() {
    let before = r#"[{"role": "system", "content": "a"}, {"role": "user", "content": "b"}, {"role": "user", "content": "z"}]"#;
    let after = r#"[{"role": "developer", "content": "a"}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d"}, {"role": "user", "content": "z"}]"#;
    let wanted = "--- one\n+++ two\n@@ message 0 (system -> developer) @@\n@@ -1,1 +1,1 @@ message 1 (user)\n-b\n+c\n\
                  @@ -0,0 +1,1 @@ message 2 (assistant)\n+d\n";
    assert_eq!(unified(before, after, 3), wanted);
}

#[test]
fn a_text_and_a_chat_have_nothing_in_common() {
    let text = Template::text("a");
    let chat = Template::chat(vec![ChatMessage::new(Role::User, "a")]).unwrap();
    let changes: Vec<TemplateChange> = diff_templates(&text, &chat)
        .iter()
        .map(|part| part.change)
        .collect();
    assert_eq!(changes, [TemplateChange::Removed, TemplateChange::Added]);
}

#[test]
fn fields_are_compared_by_path() {
    let content = |response, config| {
        PromptContent::new(Template::text("a"), Some(response), Some(config)).unwrap()
    };
    let before = content(
        json!({"a": {"b": 1, "c/d": [1]}}),
        json!({"temperature": 0.5, "top_k": 3}),
    );
    let after = content(
        json!({"a": {"b": 1, "c/d": [2]}}),
        json!({"temperature": 0.7, "max_tokens": 9}),
    );
    let found = diff(&before, &after);
    assert_eq!(
        found.response_format,
        [FieldChange {
            path: "/a/c~1d".into(),
            before: Some(json!([1])),
            after: Some(json!([2]))
        }]
    );
    let text = found.unified("one", "two", 3);
    let wanted = "--- one\n+++ two\n@@ response_format @@\n-/a/c~1d: [1]\n+/a/c~1d: [2]\n@@ model_config @@\n\
                  +/max_tokens: 9\n-/temperature: 0.5\n+/temperature: 0.7\n-/top_k: 3\n";
    assert_eq!(text, wanted);
}

fn side(part: &Part, absent: Change) -> String {
    let lines: Vec<&str> = part
        .lines
        .iter()
        .filter(|l| l.change != absent)
        .map(|l| l.text.as_str())
        .collect();
    lines.join("\n")
}

fn messages() -> impl Strategy<Value = Vec<ChatMessage>> {
    let role = prop_oneof![Just(Role::User), Just(Role::Assistant)];
    let message = (role, "[ab\n]{0,5}").prop_map(|(role, text)| ChatMessage::new(role, text));
    prop::collection::vec(message, 1..6)
}

/// The longest common subsequence by the table.
fn common(a: &[&str], b: &[&str]) -> usize {
    let mut table = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, x) in a.iter().enumerate() {
        for (j, y) in b.iter().enumerate() {
            table[i + 1][j + 1] = if x == y {
                table[i][j] + 1
            } else {
                table[i][j + 1].max(table[i + 1][j])
            };
        }
    }
    table[a.len()][b.len()]
}

proptest! {
    #[test]
    fn lines_make_both_texts_again(before in "[abc\n]{0,40}", after in "[abc\n]{0,40}") {
        let parts = diff_templates(&Template::text(before.as_str()), &Template::text(after.as_str()));
        prop_assert_eq!(side(&parts[0], Change::Added), before.as_str());
        prop_assert_eq!(side(&parts[0], Change::Removed), after.as_str());
        prop_assert_eq!(parts[0].change == TemplateChange::Equal, before == after);
        // Small texts: no fewer lines are kept than can be.
        let kept = parts[0].lines.iter().filter(|line| line.change == Change::Equal).count();
        let lines = [&before, &after].map(|text| text.split('\n').collect::<Vec<_>>());
        prop_assert_eq!(kept, common(&lines[0], &lines[1]));
    }

    #[test]
    fn parts_make_both_chats_again(before in messages(), after in messages()) {
        let parts = diff_templates(&Template::Chat(before.clone()), &Template::Chat(after.clone()));
        for (messages, of_before) in [(before, true), (after, false)] {
            let place = |part: &Part| if of_before { part.before } else { part.after };
            let absent = if of_before { Change::Added } else { Change::Removed };
            let again: Vec<(usize, ChatMessage)> = parts.iter().filter_map(|part| match place(part) {
                Some(Place::Message { index, role }) => Some((index, ChatMessage::new(role, side(part, absent)))),
                _ => None,
            }).collect();
            let wanted: Vec<(usize, ChatMessage)> = messages.into_iter().enumerate().collect();
            prop_assert_eq!(again, wanted);
        }
    }
}
