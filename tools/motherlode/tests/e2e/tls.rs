//! ClickHouse behind TLS: who shows a certificate that is trusted is spoken to, and
//! nobody else.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use rcgen::CertifiedKey;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use testkit::Lake;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::shared;

/// Ends TLS before a server: gives its address.
async fn behind_tls(identity: &CertifiedKey<rcgen::KeyPair>, server: &str) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(identity.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![identity.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let server = server.trim_start_matches("http://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let (acceptor, server) = (acceptor.clone(), server.clone());
            tokio::spawn(async move {
                // A client that does not trust us goes away.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(server).await.unwrap();
                tokio::io::copy_bidirectional(&mut client, &mut server).await.ok();
            });
        }
    });
    address
}

/// Asks the cluster at an address, with the certificates of a file to trust.
async fn ask(lake: &Lake, address: &str, trusted: &Path) -> Output {
    let cluster = &lake.state.clusters[0];
    let list = serde_json::json!([{"name": cluster.name, "role": cluster.role,
                                   "nodes": [address], "secret": cluster.secret}]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_motherlode"));
    command
        .args(["--json", "--aws", "query", "SELECT 'by TLS' AS answer"])
        .envs(lake.state.environment())
        .env("MOTHERLODE_CLUSTERS", list.to_string())
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR");
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_spoken_to_when_its_certificate_is_trusted_and_is_its_own() {
    let lake = shared().await;
    let folder = tempfile::tempdir().unwrap();
    let pem = |name: &str, identity: &CertifiedKey<rcgen::KeyPair>| {
        let file = folder.path().join(name);
        std::fs::write(&file, identity.cert.pem()).unwrap();
        file
    };
    let of = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (own, stranger, other) = (of("127.0.0.1"), of("127.0.0.1"), of("clickhouse.example"));
    let http = &lake.state.clusters[0].http;
    let address = behind_tls(&own, http).await;

    let answer = ask(&lake, &address, &pem("own.pem", &own)).await;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    assert!(text.contains("by TLS"), "{text}{}", String::from_utf8_lossy(&answer.stderr));

    // Another authority is trusted; the name is another's.
    let elsewhere = behind_tls(&other, http).await;
    for (address, trusted) in
        [(&address, pem("stranger.pem", &stranger)), (&elsewhere, pem("other.pem", &other))]
    {
        let refused = ask(&lake, address, &trusted).await;
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success(), "{said}");
        assert!(said.contains("invalid peer certificate"), "{said}");
    }
}
