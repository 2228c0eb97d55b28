//! Failures of TLS in words that say what to do.

use rustls::{AlertDescription, CertificateError, Error};

/// Why a handshake failed, with the remedy where one is known.
#[must_use]
pub fn explain_tls(error: &Error) -> String {
    let renew = "`steadfast renew` makes another one";
    match error {
        Error::InvalidCertificate(it) => match it {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("the certificate of the peer expired (or a clock is wrong); {renew}")
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate of the peer is not valid yet; is a clock wrong?".to_owned()
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the authority of another cluster signed the certificate of the peer".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("another node answers at this address: {it}")
            }
            other => format!("the certificate of the peer is refused: {other}"),
        },
        Error::AlertReceived(AlertDescription::UnknownCA | AlertDescription::DecryptError) => {
            "the peer refuses our certificate: it belongs to another cluster".to_owned()
        }
        Error::AlertReceived(AlertDescription::CertificateExpired) => {
            format!("the peer refuses our certificate as expired; {renew}")
        }
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the peer demands a certificate of the cluster".to_owned()
        }
        Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | Error::NoApplicationProtocol => {
            "the peer speaks none of our protocols; is it a node of Steadfast of this version?"
                .to_owned()
        }
        other => other.to_string(),
    }
}
