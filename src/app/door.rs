//! The port and the certificate: opened before anything else, since they are what most often is in the way.

use std::{io, net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use tokio::{net::TcpStream, sync::watch};

use crate::{
    config::{Config, Limits, Server},
    http::{
        AppState,
        connections::Connections,
        forwarded::Proxies,
        listener::{Listener, MediaDoor, Service},
        router::router,
        tls::Certificate,
    },
    sfu::Sfu,
};

/// What the configuration names for HTTPS, read.
pub(super) fn certificate(server: &Server) -> anyhow::Result<Option<Arc<Certificate>>> {
    server.tls().map(Certificate::load).transpose().context("HTTPS")
}

/// The bound port and the certificate, before anything else starts: they are what most often is in the way.
pub(super) struct Door {
    pub(super) listener: Listener,
    pub(super) certificate: Option<Arc<Certificate>>,
}

impl Door {
    pub(super) fn open(server: &Server) -> anyhow::Result<Self> {
        let listen = server.listen;
        let listener = Listener::bind(listen).map_err(|error| cannot_listen(listen, &error))?;
        let certificate = certificate(server)?;
        Ok(Self { listener, certificate })
    }

    /// From now on whoever knocks waits to be served.
    pub(super) fn listen(&self) -> anyhow::Result<()> {
        self.listener.listen().map_err(|error| cannot_listen(self.listener.address(), &error))
    }

    pub(super) fn service(
        &self,
        config: &Config,
        state: AppState,
        sfu: Arc<Sfu>,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Service> {
        let Limits { connections, connections_per_address, .. } = config.limits;
        Ok(Service {
            router: router(state),
            media: config.media.tcp.then_some(sfu as Arc<dyn MediaDoor>),
            tls: self.certificate.as_ref().map(Certificate::acceptor).transpose()?,
            connections: Connections::new(connections, connections_per_address),
            proxies: Arc::new(Proxies::new(config.server.trusted_proxies.clone())),
            header_timeout: config.limits.header_timeout(),
            stop,
        })
    }
}

#[async_trait::async_trait]
impl MediaDoor for Sfu {
    async fn carry(&self, stream: TcpStream) {
        Self::carry(self, stream).await;
    }
}

/// What to do about it, for the two errors that everybody meets.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => {
            let other = SocketAddr::new(address.ip(), address.port().saturating_add(10));
            format!(
                "another program (perhaps another qism) uses it; stop that one or listen elsewhere, e.g. {other}"
            )
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root or CAP_NET_BIND_SERVICE (see config/systemd/qism.service)".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => "check server.listen".into(),
    };
    anyhow::anyhow!("cannot listen on {address}: {error}\n  {advice}")
}
