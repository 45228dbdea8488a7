//! Lines of a container's log around what the container wrote: `TIME stdout F TEXT` of Kubernetes' runtimes (CRI), and
//! `{"log":"TEXT\n","stream":"stdout","time":TIME}` of Docker.
//!
//! Long lines come in parts, of both streams in between: a part waits for the rest of its line. A line that is none of
//! these is given as it is.

use std::borrow::Cow;

use serde::Deserialize;

/// The log of a container, as far as its lines are in parts.
#[derive(Debug)]
pub(super) struct ContainerLog {
    format: Format,
    /// What waits for its rest, by stream.
    parts: Vec<(String, Vec<u8>)>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Cri,
    Docker,
}

/// What one line says.
struct Entry<'l> {
    stream: Cow<'l, str>,
    is_part: bool,
    text: Cow<'l, [u8]>,
}

impl ContainerLog {
    /// The log that begins so; `None` when it is none.
    pub(super) fn of(start: &[u8]) -> Option<Self> {
        let line = start
            .split(|byte| *byte == b'\n')
            .find(|line| !line.trim_ascii().is_empty())?;
        let format = [Format::Cri, Format::Docker]
            .into_iter()
            .find(|format| format.entry(line).is_some())?;
        Some(Self {
            format,
            parts: Vec::new(),
        })
    }

    /// What the container wrote in this line, without its end; `None` while the line goes on in a later one.
    pub(super) fn take(&mut self, line: Vec<u8>) -> Option<Vec<u8>> {
        let Some(Entry {
            stream,
            is_part,
            text,
        }) = self.format.entry(&line)
        else {
            return Some(line);
        };
        let at = self.parts.iter().position(|(of, _)| *of == stream);
        match (at, is_part) {
            (None, false) => Some(text.into_owned()),
            (None, true) => {
                self.parts.push((stream.into_owned(), text.into_owned()));
                None
            }
            (Some(at), is_part) => {
                self.parts.get_mut(at)?.1.extend_from_slice(&text);
                (!is_part).then(|| self.parts.swap_remove(at).1)
            }
        }
    }

    /// Bytes that wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.parts.iter().map(|(_, part)| part.len()).sum()
    }

    /// A part whose rest did not come.
    pub(super) fn rest(&mut self) -> Option<Vec<u8>> {
        self.parts.pop().map(|(_, part)| part)
    }

    /// What the container wrote in whole lines.
    pub(super) fn written(&self, lines: &[u8]) -> Vec<u8> {
        let (mut log, mut written) = (
            Self {
                format: self.format,
                parts: Vec::new(),
            },
            Vec::new(),
        );
        for line in lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            written.extend(
                log.take(line.to_vec())
                    .into_iter()
                    .flat_map(|text| [text, vec![b'\n']])
                    .flatten(),
            );
        }
        written.extend(log.rest().into_iter().flatten());
        written
    }
}

impl Format {
    fn entry(self, line: &[u8]) -> Option<Entry<'_>> {
        match self {
            Self::Cri => cri(line),
            Self::Docker => docker(line),
        }
    }
}

fn cri(line: &[u8]) -> Option<Entry<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, tags, text) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_time = time.len() > 19 && time.get(4) == Some(&b'-') && time.get(10) == Some(&b'T');
    let is_part = match tags.split(|byte| *byte == b':').next()? {
        b"F" => false,
        b"P" => true,
        _ => return None,
    };
    let stream = std::str::from_utf8(stream)
        .ok()
        .filter(|stream| matches!(*stream, "stdout" | "stderr"))?;
    is_time.then_some(Entry {
        stream: Cow::Borrowed(stream),
        is_part,
        text: Cow::Borrowed(text),
    })
}

fn docker(line: &[u8]) -> Option<Entry<'_>> {
    #[derive(Deserialize)]
    struct Written<'l> {
        log: String,
        #[serde(borrow)]
        stream: Cow<'l, str>,
    }
    if !line.starts_with(b"{\"log\"") {
        return None;
    }
    let Written { mut log, stream } = serde_json::from_slice(line).ok()?;
    let is_part = !log.ends_with('\n');
    log.truncate(log.trim_end_matches(['\n', '\r']).len());
    Some(Entry {
        stream,
        is_part,
        text: Cow::Owned(log.into_bytes()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRI: &str = "2024-01-01T00:00:00.000000000Z stdout";

    fn written(lines: &[String]) -> Vec<String> {
        let mut log = ContainerLog::of(lines[0].as_bytes()).unwrap();
        let mut whole: Vec<Vec<u8>> = lines
            .iter()
            .filter_map(|line| log.take(line.clone().into_bytes()))
            .collect();
        whole.extend(log.rest());
        whole
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_are_what_the_container_wrote() {
        let cri = |tag: &str, text: &str| format!("{CRI} {tag} {text}");
        let other = "2024-01-01T00:00:00+02:00 stderr F no span".to_string();
        let lines = [
            cri("F", "{\"a\": 1}"),
            cri("P", "{\"b\""),
            other,
            cri("F", ": 2}"),
            "plain".to_string(),
        ];
        assert_eq!(
            written(&lines),
            ["{\"a\": 1}", "no span", "{\"b\": 2}", "plain"]
        );
        let docker = |text: &str| {
            serde_json::json!({"log": text, "stream": "stdout", "time": "t"}).to_string()
        };
        let lines = [
            docker("{\"log\""),
            docker(": 1}\n"),
            docker("\n"),
            docker("cut"),
        ];
        assert_eq!(written(&lines), ["{\"log\": 1}", "", "cut"]);
        let log = ContainerLog::of(CRI.replace("stdout", "stdout F {\n").as_bytes()).unwrap();
        let start = [cri("F", "{"), cri("F", "\"a\": 1"), cri("P", "}")].join("\n");
        assert_eq!(log.written(start.as_bytes()), b"{\n\"a\": 1\n}");
    }

    #[test]
    fn other_lines_are_no_log_of_a_container() {
        for line in [
            "",
            "{\"a\":1}",
            "{\"log\":1}",
            "{\"log\":\"x\"}",
            "2024-01-01T00:00:00.000Z stdout X {}",
            "2024-01-01T00:00:00.000Z INFO F {}",
            "2024-01-01 stdout F {}",
            "2024-01-01T00:00:00.000Z stdout F",
        ] {
            assert!(ContainerLog::of(line.as_bytes()).is_none(), "{line}");
        }
    }
}
