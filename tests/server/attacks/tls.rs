//! TLS: what is none, what is too old, whoever asks for another, and certificates that are exchanged.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::support::*;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("server/tls")
        .join(name)
}

/// Answers of a server that shows `trusted`, under `name`; `None` when no connection comes about.
fn ask(server: &Running, trusted: &str, name: &str, request: &str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(fixture(trusted)).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_string()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(server.http).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut stream = StreamOwned::new(client, stream);
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
        Err(_) => return None,
    }
    Some(String::from_utf8(answer).unwrap())
}

fn still_answers(server: &Running, trusted: &str) {
    let answer = ask(
        server,
        trusted,
        "localhost",
        &export("Connection: close\r\n"),
    );
    assert_eq!(status(&answer.unwrap()), 200);
}

#[test]
fn what_is_no_tls_or_an_old_one_is_refused() {
    let _beside = beside_others();
    let server = Running::start(|options| {
        options.tls = Some((fixture("one.pem"), fixture("one.key")));
        options.handshake_timeout = SHORT;
    });
    // TLS 1.0, SSL 3, a record that is longer than any, and half a hello.
    let old = |version: u8| {
        let hello = [&[3, version], [7; 32].as_slice(), &[0, 0, 2, 0, 0x2f, 1, 0]].concat();
        let length = u8::try_from(hello.len()).unwrap();
        [
            &[0x16, 3, version, 0, length + 4, 1, 0, 0, length],
            hello.as_slice(),
        ]
        .concat()
    };
    for bytes in [
        old(1),
        old(0),
        vec![0xff; 1000],
        [&[0x16, 3, 3, 0xff, 0xff], [0; 70_000].as_slice()].concat(),
        old(3)[..20].to_vec(),
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        Vec::new(),
    ] {
        for address in [server.http, server.grpc] {
            let mut client = Client::to(address);
            client.write(&bytes);
            assert!(!client.rest().contains("HTTP/1.1 200"));
        }
    }
    // Under another name, or with another certificate in mind, a client does not go on.
    assert_eq!(ask(&server, "one.pem", "other.example", &export("")), None);
    assert_eq!(ask(&server, "two.pem", "localhost", &export("")), None);
    still_answers(&server, "one.pem");
}

#[test]
fn certificates_are_exchanged_and_wrong_ones_are_not() {
    let _beside = beside_others();
    let folder = tempfile::tempdir().unwrap();
    let [certificate, key] = ["now.pem", "now.key"].map(|name| folder.path().join(name));
    let put = |from: &str, to: &Path| assert!(std::fs::copy(fixture(from), to).unwrap() > 0);
    put("one.pem", &certificate);
    put("one.key", &key);
    let server = Running::start(|options| options.tls = Some((certificate.clone(), key.clone())));
    still_answers(&server, "one.pem");
    put("two.pem", &certificate);
    let told = server.reload.reload().unwrap_err().to_string();
    assert!(told.contains("now.pem"), "{told}");
    still_answers(&server, "one.pem");
    put("two.key", &key);
    server.reload.reload().unwrap();
    still_answers(&server, "two.pem");
    assert_eq!(ask(&server, "one.pem", "localhost", &export("")), None);
    std::fs::write(&certificate, "nothing").unwrap();
    assert!(server.reload.reload().is_err());
    std::fs::remove_file(&key).unwrap();
    assert!(server.reload.reload().is_err());
    still_answers(&server, "two.pem");
}
