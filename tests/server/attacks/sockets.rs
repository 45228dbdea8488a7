//! Sockets: those that send slowly, read nothing, are half closed, or do nothing at all in great numbers.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use super::support::*;

#[test]
fn a_head_that_comes_byte_by_byte_is_given_up() {
    let _beside = beside_others();
    let server = Running::start(|options| options.read_timeout = SHORT);
    let mut clients: Vec<Client> = (0..20).map(|_| Client::to(server.http)).collect();
    for byte in b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: and so on" {
        clients.iter_mut().for_each(|client| {
            client.write(&[*byte]);
        });
        std::thread::sleep(SHORT / 20);
    }
    for client in &mut clients {
        assert_eq!(client.rest(), "");
    }
    server.wait_for(
        "tracehouse_connections_closed_total{reason=\"slow\"}",
        |count| count >= 20.0,
    );
    server.still_answers();
}

#[test]
fn answers_that_nobody_reads_do_not_stay() {
    let _beside = beside_others();
    let server = Running::start(|options| {
        options.write_timeout = SHORT;
        options.idle_timeout = SHORT;
    });
    let client = Client::to(server.http);
    client.0.set_write_timeout(Some(SHORT)).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100);
    // Until neither side can send more.
    let mut stream = &client.0;
    while stream.write_all(request.as_bytes()).is_ok() {}
    let closed = || {
        let of = |reason| format!("tracehouse_connections_closed_total{{reason=\"{reason}\"}}");
        server.figure(&of("slow")) + server.figure(&of("idle"))
    };
    let begun = std::time::Instant::now();
    while closed() < 1.0 {
        assert!(begun.elapsed() < LONG, "the connection stays");
        std::thread::sleep(SHORT);
    }
    server.still_answers();
}

#[test]
fn half_closed_sockets_are_closed() {
    let _beside = beside_others();
    let server = Running::start(|_| {});
    let mut clients = Vec::new();
    for number in 0..200 {
        let mut client = Client::to(server.http);
        let cut = export("").replace("Content-Length: ", "Content-Length: 9");
        let sent = match number % 3 {
            0 => "",
            1 => "GET /healthz HT",
            _ => cut.as_str(),
        };
        client.write(sent.as_bytes());
        client.0.shutdown(Shutdown::Write).unwrap();
        clients.push(client);
    }
    for client in &mut clients {
        let answer = client.rest();
        assert!(matches!(status(&answer), 0 | 400), "{answer}");
    }
    // The one that asks, and perhaps the one before it.
    server.wait_for("tracehouse_connections", |count| count <= 2.0);
    assert_eq!(server.figure("tracehouse_in_flight_bytes"), 0.0);
    server.still_answers();
}

#[test]
fn idle_connections_starve_no_active_one() {
    let _alone = alone();
    let told = std::env::var("TRACEHOUSE_IDLE_CONNECTIONS").ok();
    let count: usize = told.map_or(2000, |told| told.parse().unwrap());
    let server = Running::start(|_| {});
    let before = memory_bytes("VmRSS");
    let mut idle: Vec<Client> = (0..count / 2).map(|_| Client::to(server.http)).collect();
    // Half of them have asked once.
    for _ in 0..count - count / 2 {
        let mut client = Client::to(server.http);
        client.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(status(&client.answer()), 200);
        idle.push(client);
    }
    server.wait_for("tracehouse_connections", |open| open >= count as f64);
    let bytes = memory_bytes("VmRSS").saturating_sub(before) / count as u64;
    println!("{count} idle connections, {bytes} bytes each, both ends");
    assert!(bytes < 64 << 10, "{bytes}");
    (0..50).for_each(|_| server.still_answers());
    drop(idle);
    server.wait_for("tracehouse_connections", |open| open <= 2.0);
}

#[test]
fn whoever_is_idle_for_longest_makes_room() {
    let _beside = beside_others();
    let server = Running::start(|options| options.connections_max = 100);
    // One that is in the middle of a request keeps its place.
    let body = export_json();
    let mut busy = Client::to(server.http);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    busy.write(head.as_bytes());
    server.wait_for("tracehouse_requests_in_progress", |count| count >= 2.0);
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(Client::to(server.http));
    }
    server.still_answers();
    busy.write(body.as_bytes());
    assert_eq!(status(&busy.answer()), 200);
    assert!(server.figure("tracehouse_connections_closed_total{reason=\"room\"}") >= 200.0);
    server.still_answers();
}

#[test]
fn a_connection_without_requests_ends_and_one_that_asks_now_and_then_does_not() {
    let _beside = beside_others();
    let server = Running::start(|options| {
        options.idle_timeout = SHORT * 4;
        options.read_timeout = SHORT;
    });
    let (mut idle, mut asking) = (Client::to(server.http), Client::to(server.http));
    for _ in 0..6 {
        asking.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(status(&asking.answer()), 200);
        std::thread::sleep(SHORT + Duration::from_millis(50));
    }
    assert_eq!(idle.rest(), "");
    server.still_answers();
}
