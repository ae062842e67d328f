//! What both websocket components check of the options that they share.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use lograil_plugin::{ConfigError, Period, Secret};

use crate::http_server::Credentials;
use crate::listen;
use crate::request_headers::client_headers;
use crate::server_tls::ServerTlsOptions;
use crate::tls::ClientTlsOptions;
use crate::websocket_client::websocket_uri;

/// The shared options of one component.
pub(crate) struct SharedOptions<'o> {
    pub url: Option<&'o str>,
    pub listen: Option<&'o str>,
    pub path: &'o str,
    pub headers: &'o BTreeMap<String, Secret>,
    pub token: Option<&'o Secret>,
    pub expose_without_token: bool,
    pub subprotocol: Option<&'o str>,
    pub max_connections: usize,
    pub ping_interval: Period,
    pub ping_timeout: Period,
    pub tls: &'o ClientTlsOptions,
}

/// Who connects to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The component to a server.
    Connect,
    /// Clients to the component.
    Listen,
}

/// Where to connect to, and with what.
pub(crate) type Destination = (Uri, Vec<(HeaderName, HeaderValue)>);

/// Where clients are expected.
#[derive(Debug, Clone)]
pub(crate) struct Reception {
    pub listen: SocketAddr,
    pub path: String,
    pub credentials: Credentials,
    pub connections_max: usize,
    pub tls: Option<ServerTlsOptions>,
}

impl SharedOptions<'_> {
    /// Checks what concerns both ways, and which it is.
    pub(crate) fn way(&self, errors: &mut Vec<ConfigError>) -> Option<Way> {
        let periods = [("ping_interval", self.ping_interval), ("ping_timeout", self.ping_timeout)];
        for (name, period) in periods {
            if period.0.is_zero() {
                errors.push(ConfigError::new([name], "must be longer than nothing"));
            }
        }
        if self.subprotocol.is_some_and(|name| HeaderName::try_from(name).is_err()) {
            let message = "is no token of a protocol's name";
            errors.push(ConfigError::new(["subprotocol"], message));
        }
        if self.token.is_some_and(|token| token.expose().is_empty()) {
            errors.push(ConfigError::new(["token"], "the token is empty"));
        }
        match (self.url, self.listen) {
            (Some(_), None) => Some(Way::Connect),
            (None, Some(_)) => Some(Way::Listen),
            _ => {
                let error = ConfigError::new(["url"], "needs either `url` or `listen`");
                errors.push(error.help("`url` connects to a server, `listen` is one"));
                None
            }
        }
    }

    /// Checks what concerns a client.
    pub(crate) fn destination(&self, errors: &mut Vec<ConfigError>) -> Option<Destination> {
        if self.path != "/" || self.expose_without_token {
            let message = "`path` and `expose_without_token` go with `listen`";
            errors.push(ConfigError::new(["url"], message));
        }
        let headers = client_headers(self.headers, self.token, errors);
        let uri = self.url.and_then(|url| websocket_uri(url, errors))?;
        Some((uri, headers))
    }

    /// Checks what concerns a server; `remedy` says how to be allowed beyond this machine.
    pub(crate) fn reception(
        &self,
        remedy: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<Reception> {
        if !self.path.starts_with('/') {
            errors.push(ConfigError::new(["path"], "a path starts with `/`"));
        }
        listen::check_connections(self.max_connections, errors);
        let may_expose = self.token.is_some() || self.expose_without_token;
        let text = self.listen.unwrap_or_default();
        Some(Reception {
            listen: listen::address("listen", text, may_expose, remedy, errors)?,
            path: self.path.to_owned(),
            credentials: Credentials::new(self.token, None),
            connections_max: self.max_connections,
            tls: self.tls.of_server(errors),
        })
    }
}
