//! The proxy itself: what it does is what it says, and is counted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chaos::Dice;
use chaos::proxy::fault::{Act, Answer, On, Rule};
use chaos::proxy::{Line, Mode, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const INSERT: &str =
    "POST /?query=INSERT&insert_deduplication_token=t HTTP/1.1\r\ncontent-length: 6\r\n\r\nabcdef";
const QUERY: &str = "GET /?query=SELECT HTTP/1.1\r\n\r\n";

/// A server that answers every request with `HELLO`, and counts them.
async fn server() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Arc::new(AtomicU64::new(0));
    let counted = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let counted = counted.clone();
            tokio::spawn(async move {
                let mut text = String::new();
                let mut piece = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut piece).await {
                    text.push_str(std::str::from_utf8(&piece[..read]).unwrap());
                    if text.ends_with("abcdef") || text == QUERY {
                        text.clear();
                        counted.fetch_add(1, Ordering::SeqCst);
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHELLO";
                        stream.write_all(answer).await.unwrap();
                    }
                }
            });
        }
    });
    (url, seen)
}

async fn proxy() -> (Proxy, Arc<AtomicU64>) {
    let (url, seen) = server().await;
    let proxy = Proxy::start(Dice::new(1)).await.unwrap();
    proxy.stands_for(&url).unwrap();
    (proxy, seen)
}

/// What a client hears; the kind of the error when the connection breaks.
async fn ask(stream: &mut TcpStream, request: &str) -> Result<String, std::io::ErrorKind> {
    stream.write_all(request.as_bytes()).await.map_err(|error| error.kind())?;
    let mut text = String::new();
    let mut piece = [0; 1024];
    loop {
        match stream.read(&mut piece).await.map_err(|error| error.kind())? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof),
            read => text.push_str(std::str::from_utf8(&piece[..read]).unwrap()),
        }
        if text.ends_with("HELLO") || text.ends_with("NO") {
            return Ok(text);
        }
    }
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect(proxy.address).await.unwrap()
}

#[tokio::test]
async fn requests_pass_on_one_connection() {
    let (proxy, seen) = proxy().await;
    let mut stream = connect(&proxy).await;
    for _ in 0..3 {
        assert!(ask(&mut stream, INSERT).await.unwrap().starts_with("HTTP/1.1 200 OK"));
        assert!(ask(&mut stream, QUERY).await.is_ok());
    }
    assert_eq!(seen.load(Ordering::SeqCst), 6);
    assert!(proxy.counts().is_empty(), "{:?}", proxy.counts());
}

#[tokio::test]
async fn a_lost_answer_was_given_and_other_requests_pass() {
    let (proxy, seen) = proxy().await;
    proxy.set_rules(vec![Rule::always("lost", On::Insert, Act::LoseAnswer).at_most(1)]);
    assert!(ask(&mut connect(&proxy).await, QUERY).await.is_ok());
    let broken = ask(&mut connect(&proxy).await, INSERT).await;
    assert_eq!(broken, Err(std::io::ErrorKind::ConnectionReset));
    assert!(ask(&mut connect(&proxy).await, INSERT).await.is_ok(), "once only");
    assert_eq!((proxy.count("lost"), seen.load(Ordering::SeqCst)), (1, 3));
}

#[tokio::test]
async fn a_lost_request_and_a_refused_one_never_arrive_whole() {
    let (proxy, seen) = proxy().await;
    proxy.set_rules(vec![Rule::always("cut", On::Insert, Act::LoseRequest { within: 6 })]);
    assert!(ask(&mut connect(&proxy).await, INSERT).await.is_err());
    let mut no = Answer::exception(241, "MEMORY_LIMIT_EXCEEDED", "too much");
    assert!(no.body.starts_with("Code: 241. DB::Exception: too much"));
    no.body = "NO".to_owned();
    proxy.set_rules(vec![Rule::always("refused", On::Insert, Act::Refuse(no))]);
    let mut stream = connect(&proxy).await;
    for _ in 0..2 {
        let answer = ask(&mut stream, INSERT).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 500") && answer.contains("code: 241"), "{answer}");
    }
    assert_eq!((proxy.count("cut"), proxy.count("refused")), (1, 2));
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn what_is_done_may_be_refused_and_a_body_may_be_cut() {
    let (proxy, seen) = proxy().await;
    let no = Answer { status: "500 No", headers: Vec::new(), body: "NO".to_owned() };
    proxy.set_rules(vec![
        Rule::always("done", On::Insert, Act::DoneAndRefused(no)),
        Rule::always("cut", On::S3Get, Act::CutBody { within: 5 }),
    ]);
    assert!(ask(&mut connect(&proxy).await, INSERT).await.unwrap().ends_with("NO"));
    assert!(ask(&mut connect(&proxy).await, QUERY).await.is_err());
    assert_eq!((proxy.count("done"), proxy.count("cut")), (1, 1));
    assert_eq!(seen.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_black_hole_swallows_connections_that_there_are_and_gives_them_back() {
    let (proxy, _) = proxy().await;
    let mut stream = connect(&proxy).await;
    assert!(ask(&mut stream, QUERY).await.is_ok());
    proxy.set_mode(Mode::BlackHole);
    let mut other = connect(&proxy).await;
    for stream in [&mut stream, &mut other] {
        let asked = tokio::time::timeout(Duration::from_millis(150), ask(stream, QUERY)).await;
        assert!(asked.is_err(), "it was answered");
    }
    proxy.set_mode(Mode::Pass);
    // What was asked is answered now.
    assert!(ask(&mut stream, "").await.is_ok());
    assert!(ask(&mut other, "").await.is_ok());
}

#[tokio::test]
async fn refused_and_cut_connections_are_reset() {
    let (proxy, _) = proxy().await;
    let mut stream = connect(&proxy).await;
    assert!(ask(&mut stream, QUERY).await.is_ok());
    proxy.cut();
    assert!(ask(&mut stream, QUERY).await.is_err());
    proxy.set_mode(Mode::Refuse);
    assert!(ask(&mut connect(&proxy).await, QUERY).await.is_err());
    proxy.set_mode(Mode::Pass);
    assert!(ask(&mut connect(&proxy).await, QUERY).await.is_ok());
    assert_eq!((proxy.count("connections cut"), proxy.count("connections refused")), (1, 1));
}

#[tokio::test]
async fn a_bad_line_takes_its_time() {
    let (proxy, _) = proxy().await;
    let mut stream = connect(&proxy).await;
    let delay = Duration::from_millis(30);
    proxy.set_line(Line { delay, bytes_per_second: Some(1_000) });
    let before = std::time::Instant::now();
    assert!(ask(&mut stream, INSERT).await.is_ok());
    // Head and body either way; and some 120 bytes at 1,000 a second. Never
    // less, however busy the machine is.
    assert!(before.elapsed() >= delay * 4 + Duration::from_millis(100), "{:?}", before.elapsed());
}
