//! Where a component listens: what its options may say, and what it claims.
//!
//! **Invariant:** beyond loopback only what is protected, or asked for by name.

use std::net::SocketAddr;

use lograil_plugin::{ConfigError, SourceError};
use tokio::net::TcpListener;

/// Most connections an option may allow.
const CONNECTIONS_MAX: usize = 65_536;

/// The address that the option `option` says. `may_expose` if it may be reached from other machines; `remedy` is
/// what to do otherwise.
pub(crate) fn address(
    option: &str,
    text: &str,
    may_expose: bool,
    remedy: &str,
    errors: &mut Vec<ConfigError>,
) -> Option<SocketAddr> {
    let Ok(address) = text.parse::<SocketAddr>() else {
        let error = ConfigError::new([option], format!("`{text}` is no IP address with a port"));
        errors.push(error.help("such as `127.0.0.1:8080` or `[::1]:8080`"));
        return None;
    };
    if !address.ip().is_loopback() && !may_expose {
        let message = format!("{address} is reached from other machines");
        errors.push(ConfigError::new([option], message).help(remedy));
        return None;
    }
    Some(address)
}

/// Binds a source to its address.
pub(crate) async fn tcp(address: SocketAddr) -> Result<TcpListener, SourceError> {
    let action = || format!("listen on {address}");
    TcpListener::bind(address).await.map_err(|source| SourceError::Io { action: action(), source })
}

/// Checks the option `max_connections`.
pub(crate) fn check_connections(connections_max: usize, errors: &mut Vec<ConfigError>) {
    if !(1..=CONNECTIONS_MAX).contains(&connections_max) {
        let message = format!("must be from 1 to {CONNECTIONS_MAX}");
        errors.push(ConfigError::new(["max_connections"], message));
    }
}

/// What no other component may use at the same time, however it is spelled; nothing if the system chooses the port, or
/// if it is no address.
pub(crate) fn claim(protocol: &str, listen: &str) -> Vec<String> {
    let address = listen.parse::<SocketAddr>().ok().filter(|address| address.port() != 0);
    address.map(|address| format!("{protocol} {address}")).into_iter().collect()
}
