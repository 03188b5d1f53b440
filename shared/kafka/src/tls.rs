//! TLS towards the brokers: whom to trust, and what to show of ourselves.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::config::{ClientCertificate, Tls};
use crate::error::KafkaError;

/// The TLS client that a configuration asks for.
pub fn client(tls: &Tls) -> Result<Arc<ClientConfig>, KafkaError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| settings("the versions of TLS", &error))?
        .with_root_certificates(roots(tls)?);
    let client = match &tls.client {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { certificates, key }) => {
            let chain = certificates_of(certificates, "the client certificate")?;
            // The parser's error may quote what it read.
            let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes()).map_err(|_| {
                KafkaError::Settings {
                    problem: "the key of the client certificate is no unencrypted PEM key".into(),
                }
            })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| settings("the client certificate", &error))?
        }
    };
    Ok(Arc::new(client))
}

fn roots(tls: &Tls) -> Result<RootCertStore, KafkaError> {
    let mut store = RootCertStore::empty();
    let certificates = match &tls.roots {
        Some(pem) => certificates_of(pem, "the certificates to trust")?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    // A system may hold some that are too old to be read.
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        return Err(KafkaError::Settings {
            problem: "there is no certificate to trust a broker by; install ca-certificates, or \
                      give the broker's authority"
                .into(),
        });
    }
    Ok(store)
}

fn certificates_of(pem: &str, what: &str) -> Result<Vec<CertificateDer<'static>>, KafkaError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => {
            Err(KafkaError::Settings { problem: format!("{what}: the text holds no certificate") })
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(settings(what, &error)),
    }
}

fn settings(what: &str, error: &dyn std::error::Error) -> KafkaError {
    KafkaError::Settings { problem: format!("{what}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn what_is_no_certificate_is_named() {
        let tls = Tls { roots: Some("nothing".into()), client: None };
        let error = client(&tls).unwrap_err().to_string();
        assert!(error.contains("the certificates to trust"), "{error}");
    }

    #[test]
    fn a_key_that_cannot_be_read_is_not_told() {
        let authority = rcgen::generate_simple_self_signed([]).unwrap().cert.pem();
        let shown =
            ClientCertificate { certificates: authority.clone(), key: Secret::new("s3cret") };
        // What the machine trusts is not what this is about.
        let tls = Tls { roots: Some(authority), client: Some(shown) };
        let error = client(&tls).unwrap_err().to_string();
        assert!(error.contains("key of the client certificate"), "{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}
