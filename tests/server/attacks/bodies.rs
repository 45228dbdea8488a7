//! Bodies: lengths that lie, chunks without end, bombs, and those that come slowly.

use std::io::Write;
use std::net::Shutdown;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};

use super::http2::Http2;
use super::support::*;

const LIMIT: usize = 1 << 20;
const BOMB_BYTES: usize = 128 << 20;
/// What a bomb may take: the budget, and what the allocator and the sockets keep of it.
const MEMORY_MAX: u64 = 48 << 20;

fn small() -> Running {
    Running::start(|options| {
        options.request_bytes_max = LIMIT;
        options.in_flight_bytes_max = 8 * LIMIT;
    })
}

fn head(headers: &str) -> String {
    format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-protobuf\r\n{headers}\r\n"
    )
}

#[test]
fn lengths_beyond_the_limit_are_refused_before_anything_is_read() {
    let _beside = beside_others();
    let server = small();
    for length in ["1048577", "99999999999", "9223372036854775807"] {
        let answer = server.send(head(&format!("Content-Length: {length}\r\n")));
        assert_eq!(status(&answer), 413, "{length}: {answer}");
    }
    for length in ["18446744073709551616", "-1", "+5", "5,6", "0x10", "5 5", ""] {
        let answer = server.send(head(&format!("Content-Length: {length}\r\n")));
        assert_eq!(status(&answer), 400, "{length}: {answer}");
    }
    server.still_answers();
}

#[test]
fn lengths_that_lie_harm_nobody() {
    let _beside = beside_others();
    let server = Running::start(|options| options.idle_timeout = SHORT * 4);
    // More than was told: the rest is no request.
    let answers = {
        let mut client = Client::to(server.http);
        client.write(format!("{}0123456789", head("Content-Length: 2\r\n")).as_bytes());
        client.rest()
    };
    let good = answers.matches("HTTP/1.1 200").count();
    assert!(answer_count(&answers) <= 2 && good <= 1, "{answers}");
    // Less than was told, and then nothing, or the end.
    let mut client = Client::to(server.http);
    client.write(format!("{}01234", head("Content-Length: 1000\r\n")).as_bytes());
    client.0.shutdown(Shutdown::Write).unwrap();
    let answer = client.rest();
    assert!(matches!(status(&answer), 0 | 400), "{answer}");
    server.still_answers();
}

#[test]
fn chunks_beyond_the_limit_are_refused() {
    let _alone = alone();
    let server = small();
    let peak = peak_bytes(|| {
        let mut client = Client::to(server.http);
        client.write(head("Transfer-Encoding: chunked\r\n").as_bytes());
        let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
        let mut sent = 0;
        while sent < BOMB_BYTES && client.write(&chunk) {
            sent += chunk.len();
        }
        assert!(sent < BOMB_BYTES, "the server reads on");
    });
    assert!(peak < MEMORY_MAX, "{peak}");
    for chunk in ["FFFFFFFFFFFFFFFFF\r\n", "-1\r\n", "zz\r\n", "\r\n"] {
        let answer = server.send(format!("{}{chunk}", head("Transfer-Encoding: chunked\r\n")));
        assert!(matches!(status(&answer), 0 | 400), "{chunk:?} {answer}");
    }
    server.still_answers();
}

/// Zeros, compressed.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let zeros = vec![0; 1 << 20];
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&zeros).unwrap();
    let mut deflate = ZlibEncoder::new(Vec::new(), Compression::fast());
    let mut zstd = zstd::Encoder::new(Vec::new(), 1).unwrap();
    for _ in 0..BOMB_BYTES >> 20 {
        deflate.write_all(&zeros).unwrap();
        zstd.write_all(&zeros).unwrap();
    }
    vec![
        // Members follow one another, and are one body.
        ("gzip", gzip.finish().unwrap().repeat(BOMB_BYTES >> 20)),
        ("deflate", deflate.finish().unwrap()),
        ("zstd", zstd.finish().unwrap()),
        // A frame that asks for a window of 2 GiB, and says that it has 2^60 bytes.
        (
            "zstd",
            b"\x28\xb5\x2f\xfd\xc0\xa8\0\0\0\0\0\0\0\x10\x01\0\0".to_vec(),
        ),
    ]
}

#[test]
fn bombs_burst_at_the_limit() {
    let _alone = alone();
    let (server, bombs) = (small(), bombs());
    let peak = peak_bytes(|| {
        for (encoding, bomb) in &bombs {
            let headers = format!(
                "Content-Encoding: {encoding}\r\nContent-Length: {}\r\n",
                bomb.len()
            );
            let request = [head(&headers).as_bytes(), bomb].concat();
            let answer = server.send(request);
            assert!(matches!(status(&answer), 400 | 413), "{encoding}: {answer}");
        }
        let mut client = Http2::to(server.grpc);
        for (encoding, bomb) in &bombs {
            let length = u32::try_from(bomb.len()).unwrap().to_be_bytes();
            let message = [&[1], length.as_slice(), bomb].concat();
            let code = client.export(message, &[("grpc-encoding", encoding)]);
            assert!(matches!(code, Some(3 | 8)), "{encoding}: {code:?}");
        }
    });
    assert!(peak < MEMORY_MAX, "{peak}");
    // One in another.
    let answer = server.send(head(
        "Content-Encoding: gzip, gzip\r\nContent-Length: 0\r\n",
    ));
    assert_eq!(status(&answer), 415, "{answer}");
    server.still_answers();
}

#[test]
fn frames_of_grpc_that_lie_are_refused() {
    let _beside = beside_others();
    let server = small();
    let mut client = Http2::to(server.grpc);
    for message in [
        b"".as_slice(),
        b"\0",
        b"\0\0\0\0\x05ab",
        b"\0\0\0\0\x01ab",
        b"\0\xff\xff\xff\xffab",
        b"\x07\0\0\0\0",
        b"\0\0\0\0\0\0\0\0\0\0",
        b"\x01\0\0\0\x02ab",
    ] {
        let code = client.export(message.to_vec(), &[]);
        assert_eq!(code, Some(3), "{message:?}");
    }
    let code = client.export(vec![0; LIMIT + 100], &[]);
    assert_eq!(code, Some(8), "longer than any may be");
    assert_eq!(
        client.export(b"\0\0\0\0\0".to_vec(), &[]),
        Some(0),
        "an empty one is good"
    );
    server.still_answers();
}

#[test]
fn more_memory_than_there_is_is_refused_with_a_word_to_come_again() {
    let _beside = beside_others();
    let server = Running::start(|options| {
        options.request_bytes_max = LIMIT;
        options.in_flight_bytes_max = LIMIT / 2;
    });
    let body = vec![b'a'; LIMIT - 1];
    let headers = format!("Content-Length: {}\r\n", body.len());
    let answer = server.send([head(&headers).as_bytes(), &body].concat());
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(
        answer.to_ascii_lowercase().contains("retry-after: 1"),
        "{answer}"
    );
    assert_eq!(server.figure("tracehouse_in_flight_bytes"), 0.0);
    server.still_answers();
}

#[test]
fn a_body_that_comes_byte_by_byte_is_given_up() {
    let _beside = beside_others();
    let server = Running::start(|options| options.read_timeout = SHORT);
    let mut client = Client::to(server.http);
    client.write(head("Content-Length: 100000\r\n").as_bytes());
    // Each byte is in time, all together are not.
    let mut sent = 0;
    while sent < 400 && client.write(b"a") {
        sent += 1;
        std::thread::sleep(SHORT / 10);
    }
    assert!(sent < 400, "the server waits on");
    // One that stops.
    let mut client = Client::to(server.http);
    client.write(format!("{}aaa", head("Content-Length: 100000\r\n")).as_bytes());
    let answer = client.rest();
    assert!(matches!(status(&answer), 0 | 400 | 408), "{answer}");
    server.still_answers();
}
