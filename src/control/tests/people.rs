//! Members: who may become one, what each has chosen, and that no organization loses its last Owner.

use super::super::people::{Choices, NewMember, Token};
use super::super::{Caller, Control, FixedClock, Tuning};
use super::house::{House, caller, settings, tuning};
use crate::domain::fault::{Fault, Noun};
use crate::domain::id::UserId;
use crate::domain::locale::Locale;
use crate::domain::role::Role;
use crate::domain::theme::Theme;
use crate::view::{Act, ActivityRow, Outcome};
use std::path::Path;
use std::sync::{Arc, Barrier};

const PASSWORD: &str = "cheval agrafe pile";

/// A region where nothing runs, and its clock.
fn house(data: &Path) -> (House, Arc<FixedClock>) {
    let clock = Arc::new(FixedClock::at(1_800_000_000_000));
    let tuning = Tuning {
        hypervisor: false,
        clock: clock.clone(),
        ..tuning()
    };
    (House::open_with(settings(data), tuning), clock)
}

fn add(house: &House, email: &str, role: Role) -> UserId {
    let member = NewMember {
        email,
        name: email,
        role,
        password: "correct horse",
        one_time: false,
    };
    house
        .control
        .create_member(house.organization(), member)
        .expect("a member")
}

/// Signs in, and is who the session says.
fn signed_in(control: &Control, email: &str, password: &str) -> (Token, Caller) {
    let token = control.sign_in(email, password).expect("signed in").token;
    let caller = of_session(control, &token).expect("a session");
    (token, caller)
}

fn of_session(control: &Control, token: &Token) -> Option<Caller> {
    let member = control.authenticate(token).expect("an answer")?;
    Some(Caller {
        actor: Some(member.actor),
        door: crate::domain::role::Door::Console,
    })
}

fn log_of(house: &House) -> Vec<ActivityRow> {
    let log = house.control.list_activity(&house.owner, 1);
    log.expect("the log").rows
}

fn roles(house: &House) -> Vec<(String, Role)> {
    let all = house.control.organization(&house.owner).expect("a list");
    let all = all.members.into_iter();
    all.map(|member| (member.email, member.role)).collect()
}

fn owners(house: &House) -> usize {
    let catalog = house.control.catalog();
    let members = catalog.members(house.organization()).expect("a list");
    let owners = members.iter().filter(|member| member.role == Role::Owner);
    owners.count()
}

#[test]
fn one_who_is_invited_joins_once_and_is_signed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    let token = control
        .invite(&house.owner, " New@Us.Example ", Role::Editor)
        .expect("invited");
    let found = control.invitation(token.expose()).expect("an invitation");
    assert_eq!(
        (
            found.organization.as_str(),
            found.email.as_str(),
            found.role
        ),
        ("Us", "new@us.example", Role::Editor)
    );
    // What is refused leaves the link as it was.
    for (name, password, again, fault) in [
        ("", PASSWORD, PASSWORD, Fault::NameEmpty),
        ("N", "short", "short", Fault::PasswordTooShort { min: 12 }),
        ("N", PASSWORD, "another", Fault::PasswordsDiffer),
    ] {
        let refused = control.accept_invitation(token.expose(), name, password, again);
        assert_eq!(refused.err(), Some(fault));
    }
    let joined = control
        .accept_invitation(token.expose(), " Nora  N. ", PASSWORD, PASSWORD)
        .expect("joined");
    let new = of_session(control, &joined.token).expect("signed in");
    let actor = new.actor.as_ref().expect("a member");
    assert_eq!(
        (actor.name.as_str(), actor.role, actor.operator),
        ("Nora N.", Role::Editor, false)
    );
    assert_eq!(actor.organization, house.organization());
    control
        .sign_in("new@us.example", PASSWORD)
        .expect("signs in again");

    // Used: as if it had never been.
    let gone = Some(Fault::InvitationNotUsable);
    assert_eq!(control.invitation(token.expose()).err(), gone);
    let again = control.accept_invitation(token.expose(), "N", PASSWORD, PASSWORD);
    assert_eq!(again.err(), gone);
    assert!(
        control
            .organization(&house.owner)
            .expect("a list")
            .invitations
            .is_empty()
    );
    let log = log_of(&house);
    let acts: Vec<_> = log
        .iter()
        .map(|row| (row.act, row.subject.as_str()))
        .collect();
    assert!(acts.contains(&(Act::Invite(Role::Editor), "new@us.example")));
    assert!(acts.contains(&(Act::Join, "Us")));
    assert!(!format!("{log:?}").contains(token.expose()));
}

#[test]
fn a_link_that_cannot_be_used_tells_nothing_and_makes_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, clock) = house(folder.path());
    let control = &house.control;
    let invite = |email: &str| {
        let token = control.invite(&house.owner, email, Role::Owner);
        token.expect("invited")
    };
    let before = roles(&house);
    let replaced = invite("a@new");
    let invitations = || {
        control
            .organization(&house.owner)
            .expect("a list")
            .invitations
    };
    invite("a@new");
    assert_eq!(invitations().len(), 1, "the new one replaces the older");
    let withdrawn = invite("b@new");
    let id = invitations()[1].id;
    assert_eq!(
        control.withdraw_invitation(&caller(control, "owner@them"), id),
        Err(Fault::NotFound {
            what: Noun::Invitation
        })
    );
    control
        .withdraw_invitation(&house.owner, id)
        .expect("withdrawn");
    let taken = invite("c@new");
    add(&house, "c@new", Role::Viewer);
    let expired = invite("d@new");
    let unknown = "0".repeat(64);
    let refused = |link: &str| {
        let joined = control.accept_invitation(link, "N", PASSWORD, PASSWORD);
        assert_eq!(joined.err(), Some(Fault::InvitationNotUsable), "{link}");
        assert_eq!(
            control.invitation(link).err(),
            Some(Fault::InvitationNotUsable),
            "{link}"
        );
    };
    for link in [
        replaced.expose(),
        withdrawn.expose(),
        taken.expose(),
        &unknown,
        "",
        "x",
    ] {
        refused(link);
    }
    const DAYS: i64 = 24 * 3600 * 1000;
    clock.advance(7 * DAYS - 1);
    control.invitation(expired.expose()).expect("still good");
    clock.advance(1);
    refused(expired.expose());
    assert!(invitations().is_empty());
    let mut now = roles(&house);
    now.retain(|(email, _)| email != "c@new");
    assert_eq!(now, before);

    // The same words for one's own members, and for those of another organization.
    for email in ["viewer@us", "OWNER@them"] {
        assert_eq!(
            control.invite(&house.owner, email, Role::Viewer).err(),
            Some(Fault::AddressNotFree)
        );
    }
    // One link is not tried for ever.
    for _ in 0..30 {
        let _ = control.invitation(&unknown);
    }
    let refused = control.invitation(&unknown).err();
    assert!(
        matches!(refused, Some(Fault::TooManyAttempts { .. })),
        "{refused:?}"
    );
}

#[test]
fn an_owner_who_goes_has_invited_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    for act in ["removed", "demoted"] {
        let email = format!("{act}@us");
        let other = add(&house, &email, Role::Owner);
        let them = caller(control, &email);
        let link = control
            .invite(&them, &format!("{act}@new"), Role::Owner)
            .expect("invited");
        control.invitation(link.expose()).expect("an invitation");
        if act == "removed" {
            control.remove_member(&house.owner, other).expect("removed");
        } else {
            let demoted = control.change_role(&house.owner, other, Role::Editor);
            demoted.expect("demoted");
        }
        assert_eq!(
            control.invitation(link.expose()).err(),
            Some(Fault::InvitationNotUsable),
            "{act}"
        );
        // A page that was open meanwhile invites nobody either.
        let late = control.invite(&them, "late@new", Role::Owner);
        assert!(late.is_err(), "{act}: {late:?}");
    }
}

#[test]
fn a_member_who_is_removed_is_out_at_once_and_stays_in_the_log() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    let (token, editor) = signed_in(control, "editor@us", "correct horse");
    control
        .create_volume(&editor, "theirs", house.zones[0], 1)
        .expect("begun");
    let id = editor.actor.as_ref().expect("a member").user;
    control.remove_member(&house.owner, id).expect("removed");
    assert!(control.authenticate(&token).expect("an answer").is_none());
    assert_eq!(
        control.sign_in("editor@us", "correct horse").err(),
        Some(Fault::WrongCredentials)
    );
    let log = log_of(&house);
    assert!(
        log.iter()
            .any(|row| row.subject == "theirs" && row.who.as_deref() == Some("editor@us"))
    );
    assert_eq!(
        (log[0].act, log[0].subject.as_str()),
        (Act::RemoveMember, "editor@us")
    );
    // What was begun goes on, and the address can be invited again.
    house.succeeded(
        log.iter()
            .find_map(|row| row.job.as_ref())
            .expect("a task")
            .id,
    );
    control
        .invite(&house.owner, "editor@us", Role::Viewer)
        .expect("invited again");
}

#[test]
fn there_is_always_an_owner() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    let id = |who: &Caller| who.actor.as_ref().expect("a member").user;
    let (first, viewer) = (house.owner.clone(), caller(control, "viewer@us"));
    assert_eq!(
        control.remove_member(&first, id(&first)),
        Err(Fault::LastOwner)
    );
    assert_eq!(
        control.change_role(&first, id(&first), Role::Viewer),
        Err(Fault::OwnRole)
    );
    assert_eq!(
        control.change_role(&viewer, id(&viewer), Role::Owner),
        Err(Fault::NotAllowed)
    );
    let second = add(&house, "second@us", Role::Owner);
    let second = (caller(control, "second@us"), second);
    assert_eq!(
        control.change_role(&first, id(&first), Role::Viewer),
        Err(Fault::OwnRole),
        "not by mistake either"
    );
    // Both pages are open: the one demotes the other, who then tries the same.
    control
        .change_role(&first, second.1, Role::Editor)
        .expect("demoted");
    for late in [
        control.change_role(&second.0, id(&first), Role::Viewer),
        control.remove_member(&second.0, id(&first)),
    ] {
        assert_eq!(late, Err(Fault::NotAllowed));
    }
    // Whoever is no member any more is signed out.
    control.remove_member(&second.0, second.1).expect("left");
    assert_eq!(
        control.change_role(&second.0, id(&first), Role::Viewer),
        Err(Fault::SignInNeeded)
    );
    assert_eq!(owners(&house), 1);
    control
        .remove_member(&viewer, id(&viewer))
        .expect("anybody may leave");
    assert_eq!(log_of(&house)[0].act, Act::Leave);
}

#[test]
fn two_owners_who_demote_each_other_or_leave_at_once_leave_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    let mut first = ("owner@us".to_owned(), house.owner.clone());
    for round in 0..30 {
        let email = format!("second-{round}@us");
        add(&house, &email, Role::Owner);
        let second = (email.clone(), caller(control, &email));
        let ids = [&first, &second].map(|who| who.1.actor.as_ref().expect("a member").user);
        let start = Barrier::new(2);
        let leaves = round % 2 == 1;
        let both = std::thread::scope(|scope| {
            let act = |who: Caller, other: UserId| {
                let start = &start;
                move || {
                    start.wait();
                    if leaves {
                        let own = who.actor.as_ref().expect("a member").user;
                        control.remove_member(&who, own)
                    } else {
                        control.change_role(&who, other, Role::Viewer)
                    }
                }
            };
            let one = scope.spawn(act(first.1.clone(), ids[1]));
            let two = scope.spawn(act(second.1.clone(), ids[0]));
            [one, two].map(|thread| thread.join().expect("no panic"))
        });
        assert_eq!(owners(&house), 1, "{both:?}");
        assert_eq!(
            both.iter().filter(|done| done.is_ok()).count(),
            1,
            "{both:?}"
        );
        let refused = both.iter().find_map(|done| done.as_ref().err());
        let expected = if leaves {
            Fault::LastOwner
        } else {
            Fault::NotAllowed
        };
        assert_eq!(refused, Some(&expected));
        // Who is still an Owner: of those who leave, the refused one; of those who demote, the other.
        if both[0].is_err() != leaves {
            first = second;
        }
    }
}

#[test]
fn a_password_is_changed_by_who_knows_it_and_ends_the_other_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    add(&house, "changing@us", Role::Viewer);
    let (here, me) = signed_in(control, "changing@us", "correct horse");
    let (there, _) = signed_in(control, "changing@us", "correct horse");
    let profile = control.profile(&me).expect("a profile");
    let mine: Vec<_> = profile
        .sessions
        .iter()
        .map(|session| session.this)
        .collect();
    assert_eq!(mine.iter().filter(|this| **this).count(), 1, "{mine:?}");
    assert_eq!(mine.len(), 2);
    for (current, password, again, fault) in [
        ("wrong", PASSWORD, PASSWORD, Fault::WrongPassword),
        ("", PASSWORD, PASSWORD, Fault::WrongPassword),
        (
            "correct horse",
            "short",
            "short",
            Fault::PasswordTooShort { min: 12 },
        ),
        ("correct horse", PASSWORD, "x", Fault::PasswordsDiffer),
    ] {
        let refused = control.change_password(&me, current, password, again);
        assert_eq!(refused, Err(fault));
    }
    // A password of one's own is not replaced without the present one, by the door of the one-time password either.
    assert_eq!(
        control.choose_password(&here, PASSWORD, PASSWORD),
        Err(Fault::NotAllowed)
    );
    control
        .sign_in("changing@us", "correct horse")
        .expect("the same");
    control
        .change_password(&me, "correct horse", PASSWORD, PASSWORD)
        .expect("changed");
    assert!(of_session(control, &here).is_some(), "this one stays");
    assert!(of_session(control, &there).is_none(), "the other ends");
    assert!(control.sign_in("changing@us", "correct horse").is_err());
    let (there, _) = signed_in(control, "changing@us", PASSWORD);
    control.end_other_sessions(&me).expect("ended");
    assert!(of_session(control, &here).is_some() && of_session(control, &there).is_none());
    let log = log_of(&house);
    let of = |act| log.iter().find(|row| row.act == act).expect("an entry");
    of(Act::ChangePassword);
    of(Act::EndSessions);
    assert_eq!(
        of(Act::ChangePasswordRefused).outcome,
        Outcome::Failed(Fault::WrongPassword)
    );

    // Wrong ones are counted with the attempts to sign in.
    for _ in 0..10 {
        let refused = control.change_password(&me, "wrong", PASSWORD, PASSWORD);
        assert_eq!(refused, Err(Fault::WrongPassword));
    }
    for refused in [
        control.change_password(&me, PASSWORD, PASSWORD, PASSWORD),
        control.sign_in("changing@us", PASSWORD).map(|_| ()),
    ] {
        assert!(
            matches!(refused, Err(Fault::TooManyAttempts { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn what_a_member_chose_is_kept_and_shown() {
    let folder = tempfile::tempdir().expect("a folder");
    let (house, _) = house(folder.path());
    let control = &house.control;
    let (token, me) = signed_in(control, "editor@us", "correct horse");
    let profile = control.profile(&me).expect("a profile");
    assert_eq!(
        (profile.locale, profile.theme, profile.time_zone),
        (None, None, None)
    );
    assert_eq!(profile.organization_zone, "America/Montreal");
    let before = control.list_activity(&me, 1).expect("the log").rows[0].when;
    let chosen = Choices {
        locale: Some(Locale::En),
        theme: Some(Theme::Dark),
        time_zone: Some("Asia/Kathmandu".to_owned()),
    };
    for (name, choices, fault) in [
        ("", chosen.clone(), Fault::NameEmpty),
        (
            "E",
            Choices {
                time_zone: Some("Etc/GMT+5".to_owned()),
                ..chosen.clone()
            },
            Fault::TimeZoneUnknown,
        ),
    ] {
        assert_eq!(control.save_profile(&me, name, &choices), Err(fault));
    }
    control
        .save_profile(&me, " Élodie  E. ", &chosen)
        .expect("saved");
    let again = control
        .sign_in("editor@us", "correct horse")
        .expect("signed in");
    assert_eq!(again.choices, chosen);
    let me = of_session(control, &token).expect("a session");
    // Every time is told in the member's own zone, and in the organization's to the others.
    let mine = control.list_activity(&me, 1).expect("the log").rows;
    assert!(mine.iter().all(|row| row.when.offset_minutes == 345));
    assert!(
        log_of(&house)
            .iter()
            .all(|row| row.when.offset_minutes == before.offset_minutes)
    );
    assert_eq!(mine[1].act, Act::RenameMember);
    assert_eq!(mine[1].who.as_deref(), Some("editor@us"));
    assert_eq!(mine[1].subject, "Élodie E.");
    assert_eq!(mine[0].who.as_deref(), Some("Élodie E."));

    control.keep_locale(&me, Locale::Fr).expect("kept");
    control.keep_theme(&me, None).expect("kept");
    let kept = control.profile(&me).expect("a profile");
    assert_eq!(
        (kept.locale, kept.theme, kept.time_zone),
        (Some(Locale::Fr), None, chosen.time_zone)
    );
}
