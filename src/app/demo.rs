//! `qism demo`: the same server, with a school in it and settings for a laptop and the phones around it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    path::Path,
};

use anyhow::Context as _;

use super::{Running, configured, until_signal};
use crate::{
    config::{Config, Storage, cli::Demo},
    http::selfmade,
    school::{self, demo::Size},
    telemetry,
};

/// `qism demo`: until a signal.
pub async fn demo(options: Demo) -> anyhow::Result<()> {
    let config = demo_config(&options)?;
    let telemetry = telemetry::start(&config.log, &config.traces, &config.cluster.node)?;
    let Demo { classes, students_per_class, .. } = options;
    let size = Size { classes, students_per_class };
    let ended = until_signal()?;
    let running = Running::compose(config, Some(size)).await?;
    print_demo(&running);
    ended.await;
    running.stop().await;
    telemetry.stop().await;
    Ok(())
}

fn demo_config(options: &Demo) -> anyhow::Result<Config> {
    let mut config = configured(options.config.as_deref())?;
    if options.config.is_none() {
        config.log.filter = "warn".into();
    }
    if config.cluster.redis.is_some() {
        return Ok(config);
    }
    config.server.listen = options.listen;
    config.server.web_dir = options.web_dir.clone();
    config.storage = Storage::in_folder(&options.data);
    // Loopback too: a browser on this very machine may have nothing else.
    config.media.listen_addresses = interface_addresses()?;
    config.media.udp_port = demo_media_port(options.listen, config.media.threads);
    make_folder(&options.data)?;
    if options.https {
        let today = jiff::Timestamp::now().to_zoned_datetime(jiff::tz::TimeZone::UTC).date();
        let files = selfmade::certificate(&options.data, &interface_addresses()?, today)?;
        config.server.tls_certificate = Some(files.certificate);
        config.server.tls_key = Some(files.key);
    }
    Ok(config)
}

/// Two after the HTTP port, so that two demonstrations do not meet; any free ones where one of the threads' is taken.
fn demo_media_port(listen: SocketAddr, threads: usize) -> u16 {
    let wish = if listen.port() == 0 { None } else { listen.port().checked_add(2) };
    let free = |first: &u16| {
        let ports = (*first..=u16::MAX).take(threads.max(1));
        ports.clone().count() == threads.max(1)
            && ports.into_iter().all(|port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok())
    };
    wish.filter(free).unwrap_or(0)
}

fn print_demo(running: &Running) {
    println!("A demonstration school. Everybody's password is {}\n", school::demo::PASSWORD);
    let width = school::demo::SIGN_INS.iter().map(|sign_in| sign_in.login.len()).max().unwrap_or(0) + 2;
    for sign_in in school::demo::SIGN_INS {
        println!("  {:<width$}{}", sign_in.login, sign_in.who);
    }
    println!();
    for address in phone_addresses(running.address) {
        println!("phones on this network: {}", running.url_at(address));
    }
    println!("ready {}", running.url());
}

fn interface_addresses() -> anyhow::Result<Vec<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs().context("cannot list this machine's addresses")?;
    // Link-local IPv6 needs a zone that no browser can write.
    Ok(interfaces
        .iter()
        .filter(|interface| !interface.is_link_local())
        .map(if_addrs::Interface::ip)
        .collect())
}

/// Addresses under which another device on the same network reaches us.
fn phone_addresses(listen: SocketAddr) -> Vec<IpAddr> {
    if !listen.ip().is_unspecified() {
        return Vec::new();
    }
    let all = interface_addresses().unwrap_or_default();
    all.into_iter().filter(|ip| ip.is_ipv4() && !ip.is_loopback()).collect()
}

fn make_folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| {
        format!("cannot make the data folder {}; choose another with --data DIR", folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demonstration_beside_another_takes_other_media_ports() {
        let any = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).expect("a socket");
        let taken = any.local_addr().expect("bound").port();
        let at = |port| SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
        assert_eq!(demo_media_port(at(taken - 2), 1), 0);
        assert_eq!(demo_media_port(at(taken - 3), 2), 0, "the second thread's is taken");
        assert_eq!(demo_media_port(at(0), 1), 0);
        assert_eq!(demo_media_port(at(u16::MAX - 2), 2), 0, "there is none behind the last");
    }
}
