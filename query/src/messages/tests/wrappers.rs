//! Lists of bare texts, what was spoken, media, and texts that are cut where their sources are named.

use super::{Side, decoded, pair, readable};

#[test]
fn lists_of_bare_texts_are_messages_of_who_says_them() {
    let replies = r#"{"replies":["At nine.","At ten."],"meta":[{"model":"m"}]}"#;
    let wanted = [pair("assistant", "At nine."), pair("assistant", "At ten.")];
    assert_eq!(decoded(replies, Side::Output), wanted);
    assert_eq!(
        readable(r#"{"replies":["At nine."]}"#, Side::Output),
        "At nine."
    );
    // What a builder of answers is given is the assistant's, too.
    assert_eq!(decoded(replies, Side::Input), wanted);
    for payload in [
        r#"{"prompt":["when?","where?"]}"#,
        r#"{"prompts":["when?","where?"]}"#,
    ] {
        let wanted = [pair("user", "when?"), pair("user", "where?")];
        assert_eq!(decoded(payload, Side::Input), wanted, "{payload}");
    }
    // What Python prints of an object nobody says.
    let printed =
        r#"{"replies":["ChatMessage(_role=<ChatRole.ASSISTANT: 'assistant'>, _content=[])"]}"#;
    assert!(decoded(printed, Side::Output).is_empty());
    assert!(
        decoded(
            r#"{"prompt":[15496,995],"prompts":[{"name":"x"}]}"#,
            Side::Input
        )
        .is_empty()
    );
}

#[test]
fn contents_of_texts_and_media_are_one_message() {
    for (payload, text) in [
        (r#"{"contents":["when?","where?"]}"#, "when?\nwhere?"),
        (
            r#"{"contents":["what is this?",{"inlineData":{"mimeType":"image/png","data":"aGk="}}]}"#,
            "what is this?\n[image]",
        ),
        (
            r#"{"contents":[{"inline_data":{"mime_type":"audio/wav","data":"aGk="}},"who speaks?"]}"#,
            "[audio]\nwho speaks?",
        ),
        (
            r#"{"contents":["read it",{"fileData":{"mimeType":"application/pdf","fileUri":"x"}}]}"#,
            "read it\n[file]",
        ),
    ] {
        assert_eq!(
            decoded(payload, Side::Input),
            [pair("user", text)],
            "{payload}"
        );
    }
    let genkit = r#"{"messages":[{"role":"user","content":[{"text":"see"},{"media":{"url":"data:image/png;base64,aGk="}},
        {"media":{"contentType":"video/mp4","url":"x"}}]}]}"#;
    assert_eq!(
        decoded(genkit, Side::Input),
        [pair("user", "see\n[image]\n[video]")]
    );
}

#[test]
fn what_was_spoken_is_its_words() {
    for payload in [
        r#"{"choices":[{"message":{"role":"assistant","content":null,"audio":{"id":"a","data":"aGk=","transcript":"Nine."}}}]}"#,
        r#"{"choices":[{"message":{"role":"assistant","content":"","audio":{"data":"aGk=","transcript":"Nine."}}}]}"#,
        r#"[{"role":"assistant","contents":[{"type":"audio","audio":{"audio":{"url":"x","transcript":"Nine."}}}]}]"#,
        r#"[{"role":"assistant","content":[{"type":"output_audio","transcript":"Nine."}]}]"#,
    ] {
        assert_eq!(
            decoded(payload, Side::Output),
            [pair("assistant", "Nine.")],
            "{payload}"
        );
    }
    let sound = r#"{"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}]}"#;
    assert_eq!(decoded(sound, Side::Input), [pair("user", "[audio]")]);
    assert_eq!(readable(sound, Side::Input), "[audio]");
}

#[test]
fn a_text_that_is_cut_where_it_cites_goes_on() {
    let cited = r#"{"role":"assistant","content":[{"type":"text","text":"High water is "},
        {"type":"text","text":"at nine","citations":[{"type":"char_location"}]},{"type":"text","text":" today."},
        {"type":"text","text":"Low water is at three."}]}"#;
    let wanted = [pair(
        "assistant",
        "High water is at nine today.\nLow water is at three.",
    )];
    assert_eq!(decoded(cited, Side::Output), wanted);
    let plain = r#"{"role":"assistant","content":[{"type":"text","text":"one","citations":null},{"type":"text","text":"two"}]}"#;
    assert_eq!(
        decoded(plain, Side::Output),
        [pair("assistant", "one\ntwo")]
    );
}
