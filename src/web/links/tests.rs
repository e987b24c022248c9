//! Addresses name what they mean, and nothing else.

use super::*;

pub(super) fn query(address: &str) -> ParamsMap {
    let mut map = ParamsMap::new();
    for (key, value) in address
        .split_once('?')
        .map_or("", |(_, query)| query)
        .split('&')
        .filter_map(|pair| pair.split_once('='))
    {
        map.insert(key.to_owned(), value.to_owned());
    }
    map
}

#[test]
fn a_listing_stands_in_the_address_and_comes_back() {
    let asked = Listing {
        page: 3,
        find: "é&b=c".to_owned(),
        sort: "-size".to_owned(),
        ..Listing::default()
    };
    let address = list(VOLUMES, &asked);
    assert_eq!(address, "/volumes?page=3&find=%C3%A9%26b%3Dc&sort=-size");
    assert_eq!(list(VOLUMES, &Listing::from(1)), VOLUMES);
    for page in ["/volumes?page=0", "/volumes?page=-1", "/volumes?page=x"] {
        assert_eq!(listing(&query(page)).page, 1, "{page}");
    }
}

#[test]
fn values_are_escaped() {
    assert_eq!(escaped("/volumes?a=é b"), "%2Fvolumes%3Fa%3D%C3%A9%20b");
}

#[test]
fn work_leads_to_what_it_works_on_or_to_its_list() {
    for kind in JobKind::ALL {
        let (list, page) = (work(kind, ""), work(kind, "7"));
        assert!(page.starts_with(&list), "{kind:?}: {page}");
    }
    assert_eq!(work(JobKind::TakeSnapshot, "7"), "/snapshots/7");
    assert_eq!(work(JobKind::FillVolume, "7"), "/volumes/7");
    assert_eq!(work(JobKind::StartInstance, "7"), "/instances/7");
    assert_eq!(work(JobKind::CreatePoint, "7"), "/instances/7/points");
    assert_eq!(work(JobKind::Rollback, ""), "/instances");
    // There are no pages of single templates.
    assert_eq!(work(JobKind::ImportTemplate, "7"), "/templates");
}
