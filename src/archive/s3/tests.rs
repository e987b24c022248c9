#![allow(clippy::unwrap_used, reason = "a test may fail where it stands")]

use super::*;

fn meaning(status: u16, code: &str) -> Meaning {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>m</Message></Error>");
    Refused::new(StatusCode::from_u16(status).unwrap(), None, &body).meaning()
}

#[test]
fn what_passes_is_told_from_what_lasts() {
    for (status, code, expected) in [
        (503, "SlowDown", Meaning::Passing),
        (503, "", Meaning::Passing),
        (500, "InternalError", Meaning::Passing),
        (429, "TooManyRequests", Meaning::Passing),
        (400, "RequestTimeout", Meaning::Passing),
        (409, "OperationAborted", Meaning::Passing),
        (400, "InvalidRequest", Meaning::Permanent),
        (403, "AccessDenied", Meaning::Denied),
        (401, "", Meaning::Denied),
        (405, "MethodNotAllowed", Meaning::Permanent),
        (501, "NotImplemented", Meaning::Permanent),
        (301, "PermanentRedirect", Meaning::Permanent),
        (404, "NoSuchBucket", Meaning::NoBucket),
        (404, "NoSuchKey", Meaning::Permanent),
        (403, "RequestTimeTooSkewed", Meaning::Clock),
        (507, "", Meaning::Full),
        (507, "XMinioStorageFull", Meaning::Full),
        (403, "QuotaExceeded", Meaning::Full),
    ] {
        assert_eq!(meaning(status, code), expected, "{status} {code}");
    }
}

#[test]
fn what_a_store_says_is_cut_and_may_be_anything() {
    for body in [
        "",
        "<Code>",
        "</Code><Code>",
        "<Code>a",
        "\u{0}<Code>é</Code><Message>",
    ] {
        let refused = Refused::new(StatusCode::IM_A_TEAPOT, None, body);
        assert_eq!(refused.meaning(), Meaning::Permanent);
    }
    let long = format!("<Code>{}</Code>", "x".repeat(1000));
    let refused = Refused::new(StatusCode::BAD_REQUEST, None, &long);
    assert_eq!(
        refused.to_string().len(),
        "the object store answered 400 Bad Request ".len() + 200
    );
}

#[test]
fn secrets_are_not_printed() {
    let credentials = Credentials {
        access_key: "AKIA".into(),
        secret_key: "very secret".into(),
        token: Some("also secret".into()),
    };
    assert!(!format!("{credentials:?}").contains("secret"));
}
