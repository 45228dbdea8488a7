//! The language of text queries, written out again as it is understood, and its errors.

use crate::text::{TextField, TextQuery};

fn parsed(text: &str) -> String {
    TextQuery::parse(text).unwrap().to_string()
}

fn refused(text: &str) -> String {
    TextQuery::parse(text).unwrap_err().to_string()
}

#[test]
fn the_language_of_the_public_surface() {
    assert_eq!(parsed("Refund policy"), "(refund policy)");
    assert_eq!(
        parsed("\"refund  Policy!\" -test"),
        "(\"refund policy\" -test)"
    );
    assert_eq!(parsed("a OR b c OR (d -e)"), "(a OR (b c) OR (d -e))");
    assert_eq!(parsed("gpt-4 user@x"), "(\"gpt 4\" \"user x\")");
    assert_eq!(parsed("pre* fuzzy~1 gpt-4o*"), "(pre* fuzzy~1 gpt-4o*)");
    assert_eq!(
        parsed("inputs:word outputs:\"a b\" -inputs:(x OR y)"),
        "(inputs:word outputs:\"a b\" -(inputs:x OR inputs:y))"
    );
    assert_eq!(
        parsed("http://x or and not OR std::vec C:\\x Error: y"),
        "((\"http x\" or and not) OR (\"std vec\" \"c x\" error y))"
    );
    assert_eq!(parsed("ORDER foo\"bar\"(baz)"), "(order foo bar baz)");
    assert_eq!(parsed("bold** ~/dir c++"), "(bold dir c)");
    assert_eq!(parsed("((((x))))"), "x");
    assert_eq!(parsed("a-b --x"), "(\"a b\" -x)");
    assert_eq!(parsed("a -(-b)"), "(a -(-b))");
}

#[test]
fn operators_are_in_capitals() {
    assert_eq!(parsed("error AND file"), "(error file)");
    assert_eq!(parsed("error NOT refund"), "(error -refund)");
    assert_eq!(parsed("NOT refund error"), "(-refund error)");
    assert_eq!(
        parsed("a AND b OR c AND NOT (d OR e)"),
        "((a b) OR (c -(d OR e)))"
    );
    assert_eq!(
        parsed("a AND -b NOT inputs:\"c d\""),
        "(a -b -inputs:\"c d\")"
    );
    assert_eq!(parsed("NOT(a)AND(b)OR\"c d\""), "((-a b) OR \"c d\")");
    assert_eq!(
        parsed("\"AND\" \"not\" ANDROID NOTE AND*"),
        "(and not android note and*)"
    );
}

#[test]
fn letters_of_scripts_without_spaces_are_phrases() {
    assert_eq!(parsed("天気"), "\"天 気\"");
    assert_eq!(
        parsed("天気* 天* gpt天気 ที่*"),
        "(\"天 気\" 天 \"gpt 天 気\" ท)"
    );
    assert_eq!(parsed("天gpt*"), "天-gpt*");
    assert_eq!(
        parsed("cafe\u{301}* か\u{3099} \u{1b}[31mred\u{1b}[0m"),
        "(café* が red)"
    );
    for text in ["天~1", "天気~1", "abc天~2"] {
        assert!(
            refused(text).contains("each letter is a word"),
            "{text}: {}",
            refused(text)
        );
    }
}

#[test]
fn errors_name_token_and_position() {
    let cases = [
        ("", "empty"),
        ("  ", "empty"),
        ("a \"b", "at character 3: `\"` is not closed"),
        ("é (b", "at character 3: `(`"),
        ("a )", "at character 3: `)` has no matching"),
        ("()", "at character 2: `)` comes"),
        ("a OR", "at character 5: text ends"),
        ("OR a", "at character 1: `OR`"),
        ("a OR OR b", "at character 6: `OR`"),
        ("x \"\"", "at character 3: phrase is empty"),
        ("xx a*", "at character 4: prefix `a*` is too short"),
        ("foo~3", "`foo~3`: the distance"),
        ("foo~", "must be 1 or 2"),
        ("a-b~1", "several words"),
        ("a - b", "at character 3: `-`"),
        ("inputs: x", "at character 1: `inputs:`"),
        ("inputs:(outputs:x)", "at character 9: `outputs:`"),
        ("-a", "only says what must not"),
        ("a OR -b", "only says"),
        ("-(a OR b) -c", "only says"),
        ("NOT a", "only says"),
        ("AND a", "at character 1: `AND` needs something before"),
        ("a AND", "at character 3: `AND` needs something after"),
        ("a AND AND b", "at character 3: `AND` needs something after"),
        ("a AND OR b", "at character 3: `AND` needs something after"),
        ("(a AND)", "at character 4: `AND` needs something after"),
        ("a OR AND b", "at character 6: `AND` needs something before"),
        ("a NOT", "at character 3: `NOT` needs something after"),
        ("a NOT OR b", "at character 3: `NOT` needs something after"),
        ("a NOT NOT b", "not negated again"),
        ("a NOT -b", "not negated again"),
        (
            "input:error",
            "at character 1: no field `input`: did you mean `inputs:`?",
        ),
        (
            "x -Outputs:error",
            "at character 4: no field `Outputs`: did you mean `outputs:`?",
        ),
        (
            "name:\"a b\"",
            "no field `name`: there are `inputs:` and `outputs:`. For the text itself put it in quotes",
        ),
        ("status:500", "no field `status`"),
        ("trace.text:x", "no field `trace.text`"),
        ("*rror", "at character 1: `*` stands at the end of a word"),
        ("x -inputs:*rror*", "LIKE '%rror%'"),
        ("*", "`*` stands at the end"),
        ("📶", "at character 1: `📶` has no letter or digit"),
        ("!!!", "LIKE '%!!!%'"),
        ("error 👍", "at character 7: `👍` has no letter"),
        ("\"?!\"", "`?!` has no letter"),
    ];
    for (text, expected) in cases {
        assert!(
            refused(text).contains(expected),
            "{text}: {}",
            refused(text)
        );
    }
    assert!(refused(&("(".repeat(70) + "x" + &")".repeat(70))).contains("nested deeper than 64"));
    assert!(refused(&"w ".repeat(257)).contains("more than 256 words"));
    assert!(refused(&format!("{}*", "a".repeat(200))).contains("at most 128 bytes"));
    assert!(refused(&"-".repeat(100_000)).contains("bytes"));
    assert!(TextQuery::parse(&"w ".repeat(256)).is_ok());
}

#[test]
fn a_column_query_stays_in_its_column() {
    let query = TextQuery::parse_in("a -\"b c\" inputs:d", TextField::Inputs).unwrap();
    assert_eq!(query.to_string(), "(inputs:a -inputs:\"b c\" inputs:d)");
    let error = TextQuery::parse_in("outputs:a", TextField::Inputs).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("cannot be searched in this column"),
        "{error}"
    );
}
