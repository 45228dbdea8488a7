//! Takes secrets out before anything is written: what the library knows, rules that stay with the database, and a
//! function of the program.

use std::error::Error;

use tracehouse::{OpenOptions, RedactionCallback, Search, SpanBuilder};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    // A function sees each text, and where it stands; `None` leaves it as it is. One that fails hides the whole text.
    let names = RedactionCallback::new("names", |_field, text: &str| {
        Ok(text
            .contains("Ana")
            .then(|| text.replace("Ana", "[customer]")))
    });
    let db = OpenOptions::new().redact_with(names).open(":memory:")?;
    db.set_redaction(db.redaction().rule("ticket", r"TICKET-\d+"))?;

    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let span = SpanBuilder::new(trace_id, "00f067aa0ba902b7", "chat")
        .attribute("input.value", "Ana asks to close TICKET-12")
        .attribute("api_key", "hunter2-hunter2") // a name that says secret
        .build()?;
    println!("{} texts redacted", db.append(&[span])?.redacted);

    for span in db.get_trace(trace_id)?.spans {
        println!("{}", span.attributes);
        assert!(!span.attributes.contains("hunter2") && !span.attributes.contains("TICKET-12"));
    }
    assert_eq!(
        db.count_traces(&Search::new("trace.text LIKE '%Ana %'"))?,
        0
    );
    assert_eq!(
        db.count_traces(&Search::new("trace.text LIKE '%[customer] asks%'"))?,
        1
    );
    Ok(())
}
