//! One connection through the proxy: request by request, with what was decided
//! for each.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::fault::{Act, Answer};
use super::framing::{Body, Head};
use super::{Decided, Mode, Shared};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Accepts until the task is aborted.
pub(crate) async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        // Failing to accept is a matter of file descriptors; the next attempt
        // may do better and there is nobody to tell.
        let Ok((client, _)) = listener.accept().await else { continue };
        if *shared.mode.borrow() == Mode::Refuse {
            shared.count("connections refused");
            reset(&client);
            continue;
        }
        tokio::spawn(connection(client, shared.clone()));
    }
}

/// Serves a connection, unless the mode holds it up, until it ends or is cut.
async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut cuts = shared.cuts.subscribe();
    let mut sides = Sides { client: Side::new(client), server: None };
    let reset_by_us = {
        let mut serving = std::pin::pin!(serve(&mut sides, &shared));
        loop {
            let held = *mode.borrow_and_update() == Mode::BlackHole;
            tokio::select! {
                biased;
                changed = cuts.changed() => {
                    if changed.is_ok() {
                        shared.count("connections cut");
                    }
                    break true;
                }
                changed = mode.changed() => {
                    if changed.is_err() {
                        break true;
                    }
                }
                ended = &mut serving, if !held => break ended.unwrap_or(End::Reset) == End::Reset,
            }
        }
    };
    if reset_by_us {
        reset(&sides.client.stream);
        drop(sides.client);
        if let Some(server) = sides.server {
            hang_up(server).await;
        }
    }
}

/// Closes the server's side as the kernel does for a client that has died, and
/// reads what is still sent. A reset instead ends the whole server now and then
/// (26.7.2.1: `Terminate called for uncaught exception … NetException:
/// Connection reset by peer`), which is a fault of its own and none of a line's.
async fn hang_up(mut server: Side) {
    let gone = async {
        drop(server.stream.shutdown().await);
        while server.fill().await? {
            server.buffer.clear();
        }
        io::Result::Ok(())
    };
    // A server that does not close by itself is left all the same.
    drop(tokio::time::timeout(Duration::from_secs(10), gone).await);
}

/// Has the client's connection end with a reset when it is dropped.
fn reset(stream: &TcpStream) {
    // A socket that refuses has gone already.
    drop(stream.set_zero_linger());
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Quietly,
    Reset,
}

struct Sides {
    client: Side,
    server: Option<Side>,
}

/// One end of the connection, with what was read and is not passed yet.
struct Side {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Side {
    fn new(stream: TcpStream) -> Self {
        // Small requests must not wait for one another.
        drop(stream.set_nodelay(true));
        Self { stream, buffer: Vec::new() }
    }

    /// Reads some more; false at the end.
    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.reserve(PIECE);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// Reads a head; nothing when the connection ends before it.
    async fn head(&mut self) -> anyhow::Result<Option<Head>> {
        loop {
            if let Some(head) = Head::parse(&self.buffer)? {
                self.buffer.drain(..head.bytes.len());
                return Ok(Some(head));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }
}

async fn serve(sides: &mut Sides, shared: &Shared) -> anyhow::Result<End> {
    let Sides { client, server } = sides;
    loop {
        let head = tokio::select! {
            head = client.head() => head?,
            // A client without a proxy would see it, too, and not use it again.
            () = closed(server.as_ref()) => return Ok(End::Quietly),
        };
        let Some(head) = head else { return Ok(End::Quietly) };
        let decided = shared.decide(&head);
        if let Some(Decided { name, act: Act::Refuse(answer), .. }) = &decided {
            drain(client, head.request_body()?).await?;
            shared.count(name);
            send(&mut client.stream, &answer.bytes(head.method()), shared).await?;
            continue;
        }
        let server = connect(server, shared).await?;
        match exchange(client, server, &head, decided, shared).await? {
            Next::Another => {}
            Next::Last => return Ok(End::Quietly),
            Next::Reset => return Ok(End::Reset),
        }
    }
}

/// Waits until the server closes a connection on which nothing is asked.
async fn closed(server: Option<&Side>) {
    let Some(server) = server else { return std::future::pending().await };
    let mut byte = [0];
    while server.stream.readable().await.is_ok() {
        match server.stream.try_read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            _ => return,
        }
    }
}

/// The connection to the server: the one there is, or a new one.
async fn connect<'a>(
    server: &'a mut Option<Side>,
    shared: &Shared,
) -> anyhow::Result<&'a mut Side> {
    match server {
        Some(server) => Ok(server),
        None => {
            let mut upstream = shared.upstream.subscribe();
            let address = upstream.wait_for(Option::is_some).await?.context("waited for")?;
            let stream = TcpStream::connect(address).await?;
            Ok(server.insert(Side::new(stream)))
        }
    }
}

/// What comes after an exchange.
enum Next {
    Another,
    Last,
    Reset,
}

async fn exchange(
    client: &mut Side,
    server: &mut Side,
    head: &Head,
    decided: Option<Decided>,
    shared: &Shared,
) -> anyhow::Result<Next> {
    let limit = match &decided {
        Some(Decided { act: Act::LoseRequest { .. }, after, .. }) => Some(*after),
        _ => None,
    };
    let sent = request(client, server, head, limit, shared).await?;
    match (sent, &decided) {
        (Sent::ClientGone, _) => return Ok(Next::Last),
        (Sent::Limit, Some(decided)) => {
            shared.count(decided.name);
            return Ok(Next::Reset);
        }
        _ => {}
    }
    let mut answer = answered(client, server).await?;
    // What only says that the request may go on.
    while let Some(interim) = answer.as_ref().filter(|head| matches!(head.status(), 100..200)) {
        send(&mut client.stream, &interim.bytes, shared).await?;
        answer = answered(client, server).await?;
    }
    let Some(answer) = answer else { return Ok(Next::Reset) };
    let mut body = answer.answer_body(head.method())?;
    let is_good = (200..300).contains(&answer.status());
    let mut cut_after = None;
    match &decided {
        Some(decided) if !is_good => shared.undone(decided),
        Some(decided) => match &decided.act {
            Act::LoseAnswer => {
                shared.count(decided.name);
                return Ok(Next::Reset);
            }
            Act::DoneAndRefused(refusal) => {
                shared.count(decided.name);
                return replaced(client, server, head, body, refusal, shared).await;
            }
            Act::CutBody { .. } if body != Body::None => cut_after = Some(decided.after),
            // The request was shorter than the place of the cut.
            Act::CutBody { .. } | Act::LoseRequest { .. } => shared.undone(decided),
            Act::Refuse(_) => {}
        },
        None => {}
    }
    send(&mut client.stream, &answer.bytes, shared).await?;
    match pass_body(server, client, &mut body, cut_after, shared).await? {
        Passed::Whole => {}
        Passed::Cut => {
            if let Some(decided) = &decided {
                shared.count(decided.name);
            }
            return Ok(Next::Reset);
        }
    }
    if let (Some(_), Some(decided)) = (cut_after, &decided) {
        shared.undone(decided);
    }
    let is_last =
        sent == Sent::Partly || answer.closes() || head.closes() || body == Body::UntilClose;
    Ok(if is_last { Next::Last } else { Next::Another })
}

/// Reads the server's answer to its end and gives the client another.
async fn replaced(
    client: &mut Side,
    server: &mut Side,
    head: &Head,
    mut body: Body,
    refusal: &Answer,
    shared: &Shared,
) -> anyhow::Result<Next> {
    loop {
        let taken = body.take(&server.buffer);
        server.buffer.drain(..taken);
        if body.is_over() || !server.fill().await? {
            break;
        }
    }
    send(&mut client.stream, &refusal.bytes(head.method()), shared).await?;
    Ok(Next::Last)
}

/// How far a request went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Whole,
    /// The server has answered, or closed, before the end.
    Partly,
    Limit,
    ClientGone,
}

async fn request(
    client: &mut Side,
    server: &mut Side,
    head: &Head,
    limit: Option<u64>,
    shared: &Shared,
) -> anyhow::Result<Sent> {
    let mut body = head.request_body()?;
    if send(&mut server.stream, &head.bytes, shared).await.is_err() {
        return Ok(Sent::Partly);
    }
    let mut passed = 0;
    loop {
        let taken = body.take(&client.buffer);
        passed += taken as u64;
        if limit.is_some_and(|limit| passed > limit) {
            return Ok(Sent::Limit);
        }
        let piece: Vec<u8> = client.buffer.drain(..taken).collect();
        if send(&mut server.stream, &piece, shared).await.is_err() {
            return Ok(Sent::Partly);
        }
        if body.is_over() {
            return Ok(Sent::Whole);
        }
        tokio::select! {
            more = client.fill() => if !matches!(more, Ok(true)) {
                return Ok(Sent::ClientGone);
            },
            // An answer before the end of the request.
            _ = server.fill() => return Ok(Sent::Partly),
        }
    }
}

/// The head of the server's answer; nothing when it closes first. A client that
/// goes away meanwhile ends the connection, as it would without a proxy.
async fn answered(client: &mut Side, server: &mut Side) -> anyhow::Result<Option<Head>> {
    tokio::select! {
        head = server.head() => head,
        more = client.fill() => match more {
            Ok(true) => bail!("a request behind a request that is not answered"),
            _ => bail!("the client has gone"),
        },
    }
}

enum Passed {
    Whole,
    Cut,
}

async fn pass_body(
    from: &mut Side,
    to: &mut Side,
    body: &mut Body,
    cut_after: Option<u64>,
    shared: &Shared,
) -> anyhow::Result<Passed> {
    let mut passed = 0;
    loop {
        let taken = body.take(&from.buffer);
        let mut piece: Vec<u8> = from.buffer.drain(..taken).collect();
        if let Some(limit) = cut_after
            && passed + piece.len() as u64 > limit
        {
            piece.truncate(usize::try_from(limit - passed).unwrap_or(usize::MAX));
            send(&mut to.stream, &piece, shared).await?;
            return Ok(Passed::Cut);
        }
        passed += piece.len() as u64;
        send(&mut to.stream, &piece, shared).await?;
        if body.is_over() {
            return Ok(Passed::Whole);
        }
        if !from.fill().await? {
            match body {
                Body::UntilClose => return Ok(Passed::Whole),
                _ => bail!("the server closed in the middle of its answer"),
            }
        }
    }
}

/// Reads a request's body to its end.
async fn drain(client: &mut Side, mut body: Body) -> anyhow::Result<()> {
    loop {
        let taken = body.take(&client.buffer);
        client.buffer.drain(..taken);
        if body.is_over() {
            return Ok(());
        }
        if !client.fill().await? {
            bail!("the client has gone");
        }
    }
}

/// Sends bytes at the pace of the line.
async fn send(to: &mut TcpStream, bytes: &[u8], shared: &Shared) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    let line = shared.line();
    if !line.delay.is_zero() {
        tokio::time::sleep(line.delay).await;
    }
    let Some(rate) = line.bytes_per_second else { return to.write_all(bytes).await };
    for piece in bytes.chunks(4096) {
        to.write_all(piece).await?;
        #[expect(clippy::cast_precision_loss, reason = "a pace, not a count")]
        let time = Duration::from_secs_f64(piece.len() as f64 / rate.max(1) as f64);
        tokio::time::sleep(time).await;
    }
    Ok(())
}
