//! Free ports on loopback.
//!
//! A port is found by binding to it and letting it go, so somebody else may
//! take it before the server that it is meant for does. Whoever starts a
//! server therefore tries again with other ports when it does not come up.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use crate::error::{Error, Result};

/// How often a server is started with other ports before its failure counts.
pub const ATTEMPTS: usize = 4;

/// `N` different free ports.
pub fn free<const N: usize>() -> Result<[u16; N]> {
    // All are held until the last is found, or the system may answer one twice.
    let mut held = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .map_err(Error::io("find a free port on", Path::new("127.0.0.1")))?;
        *port = listener
            .local_addr()
            .map_err(Error::io("find a free port on", Path::new("127.0.0.1")))?
            .port();
        held.push(listener);
    }
    Ok(ports)
}
