//! The self-made certificate of `qism demo --https`, so that phones on the same Wi-Fi get microphone and camera.

use std::{fs, io, net::IpAddr, path::Path};

use jiff::{ToSpan as _, civil::Date};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, date_time_ymd};

use crate::config::TlsFiles;

/// Apple's limit for certificates is 825 days, other browsers' 398.
const VALID_DAYS: i64 = 390;

/// Why none could be made.
#[derive(Debug, thiserror::Error)]
pub enum SelfMadeError {
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
    #[error("cannot keep the certificate: {0}")]
    Keep(#[from] io::Error),
}

/// The certificate kept in `folder`, made anew when the machine's addresses have changed, so that a browser's exception
/// holds over restarts.
pub fn certificate(folder: &Path, addresses: &[IpAddr], today: Date) -> Result<TlsFiles, SelfMadeError> {
    let files = TlsFiles { certificate: folder.join("demo-cert.pem"), key: folder.join("demo-key.pem") };
    let note = folder.join("demo-cert.txt");
    let names = names(addresses);
    let purpose = format!("{}\nfrom {}\n", names.join("\n"), month(today));
    if fs::read_to_string(&note).is_ok_and(|made_for| made_for == purpose) && files.key.exists() {
        return Ok(files);
    }
    let key = KeyPair::generate()?;
    fs::create_dir_all(folder)?;
    fs::write(&files.certificate, params(names, today)?.self_signed(&key)?.pem())?;
    write_private(&files.key, &key.serialize_pem())?;
    fs::write(&note, purpose)?;
    Ok(files)
}

fn names(addresses: &[IpAddr]) -> Vec<String> {
    ["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()]
        .into_iter()
        .chain(addresses.iter().filter(|address| !address.is_loopback()).map(IpAddr::to_string))
        .collect()
}

/// A certificate older than this is made anew, long before it ends.
fn month(today: Date) -> String {
    format!("{}-{:02}", today.year(), today.month())
}

fn params(names: Vec<String>, today: Date) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let from = today.saturating_sub(2.days());
    let to = today.saturating_add(VALID_DAYS.days());
    params.not_before = date_time_ymd(from.year().into(), from.month() as u8, from.day() as u8);
    params.not_after = date_time_ymd(to.year().into(), to.month() as u8, to.day() as u8);
    Ok(params)
}

/// Readable by the owner alone from its first byte on.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::tls::Certificate;

    #[test]
    fn it_is_kept_until_the_addresses_change_and_can_be_served() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let today = jiff::civil::date(2026, 11, 23);
        let home: [IpAddr; 1] = ["192.168.1.7".parse().expect("address")];
        let made = |addresses: &[IpAddr]| {
            let files = certificate(folder.path(), addresses, today).expect("made");
            Certificate::load(files.clone()).expect("usable");
            fs::read_to_string(files.certificate).expect("there")
        };
        let first = made(&home);
        assert_eq!(first, made(&home));
        assert_ne!(first, made(&["10.0.0.4".parse().expect("address")]));
    }
}
