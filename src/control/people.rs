//! Who may come in: passwords, sessions, the first Owner.
//!
//! What may never be true: a password or a session's token in the catalog, in a log line or in an event; an answer that
//! tells whether an address is known. A crash loses at most the session that was being written: one signs in again.

mod attempts;
mod invitations;
mod join;
mod members;
mod profile;

pub use crate::catalog::people::Choices;
pub use join::Joined;

use super::moments::{moment, time_zone};
use super::{Actor, Caller, Control};
use crate::catalog::people::{User, has_no_members, insert_organization, insert_user};
use crate::domain::fault::Fault;
use crate::domain::id::{OrganizationId, UserId};
use crate::domain::role::{Door, Permission, Role};
use crate::view::{Act, SessionView};
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};
use attempts::Attempts;
use std::sync::{LazyLock, mpsc};

/// How long a session lasts after its last use, in seconds.
pub const SESSION_SECONDS: i64 = 7 * 24 * 3600;
/// A session's use is written down at most this often, in milliseconds.
const TOUCH_MS: i64 = 5 * 60 * 1000;
/// The shortest password a member may choose, in characters.
pub const MIN_PASSWORD: u32 = 12;
/// Longer input is refused before it is hashed.
const MAX_PASSWORD: usize = 1024;
/// For how many days an invitation can be used.
const INVITATION_DAYS: u32 = 7;

/// Attempts to sign in, by address, lower-cased.
static SIGN_INS: Attempts = Attempts::at_most(10);
/// Visits and attempts to join by one link, by its hash. No link is found by trying: this bounds the work.
static JOINS: Attempts = Attempts::at_most(30);

/// A session's token, as the cookie carries it: 32 random bytes in hexadecimal.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// What a cookie or a link says, if it can be a token at all.
    #[must_use]
    pub fn from_cookie(text: &str) -> Option<Self> {
        (text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .then(|| Self(text.to_owned()))
    }

    /// The cookie's value.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.as_bytes()).as_bytes()
    }
}

/// Argon2id with 19 MiB, two passes, one lane: what OWASP's password storage cheat sheet asks for at least.
static ARGON2: LazyLock<Argon2<'static>> =
    LazyLock::new(|| Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default()));

/// Compared with when the address is unknown, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash("nobody").unwrap_or_default());

type Work = Box<dyn FnOnce() + Send>;

/// Passwords are hashed on one thread, one after the other. Each takes 19 MiB, and the allocator keeps that for every thread
/// that ever did it: of 60 sign-ins by as many threads 250 MiB stayed.
static HASHER: LazyLock<Option<mpsc::Sender<Work>>> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel::<Work>();
    let thread = std::thread::Builder::new().name("passwords".to_owned());
    let run = move || receiver.into_iter().for_each(|work| work());
    thread.spawn(run).ok().map(|_| sender)
});

/// Does this on that thread; none where there is none.
fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (done, answer) = mpsc::channel();
    let work: Work = Box::new(move || drop(done.send(work())));
    HASHER.as_ref()?.send(work).ok()?;
    answer.recv().ok()
}

/// The password's hash in the PHC string format.
///
/// # Errors
/// [`Fault::Internal`] when the system gives no random salt.
fn hash(password: &str) -> Result<String, Fault> {
    let text = password.to_owned();
    in_turn(move || hash_here(&text)).unwrap_or_else(|| hash_here(password))
}

fn hash_here(password: &str) -> Result<String, Fault> {
    ARGON2
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Fault::Internal {
                reference: "password-hash".to_owned(),
            }
        })
}

fn matches(password: &str, stored: &str) -> bool {
    if password.len() > MAX_PASSWORD {
        return false;
    }
    let (text, hash) = (password.to_owned(), stored.to_owned());
    in_turn(move || matches_here(&text, &hash)).unwrap_or_else(|| matches_here(password, stored))
}

fn matches_here(password: &str, stored: &str) -> bool {
    PasswordHash::new(stored)
        .is_ok_and(|stored| ARGON2.verify_password(password.as_bytes(), &stored).is_ok())
}

/// A password that a person can copy from a terminal: five groups of four, no letters that look like others (about 96 bits).
#[must_use]
pub fn one_time_password() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";
    let letters = &LETTERS[..31];
    let mut text = String::new();
    for place in 0..20 {
        if place > 0 && place % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(letters[rand::random_range(0..letters.len())]));
    }
    text
}

pub(super) fn actor(user: &User) -> Actor {
    Actor {
        user: user.id,
        organization: user.organization,
        organization_name: user.organization_name.clone(),
        time_zone: user.time_zone.clone(),
        session: None,
        role: user.role,
        operator: user.operator,
        name: user.name.clone(),
        email: user.email.clone(),
    }
}

/// A password that a member may choose.
fn checked_password(password: &str, again: &str) -> Result<(), Fault> {
    if password.chars().count() < MIN_PASSWORD as usize {
        return Err(Fault::PasswordTooShort { min: MIN_PASSWORD });
    }
    if password.len() > MAX_PASSWORD {
        return Err(Fault::BadRequest);
    }
    if password != again {
        return Err(Fault::PasswordsDiffer);
    }
    Ok(())
}

/// A session that has just begun.
#[derive(Debug)]
pub struct SignedIn {
    /// What its cookie carries.
    pub token: Token,
    /// What the member has chosen.
    pub choices: Choices,
}

/// Who holds a session.
#[derive(Debug, Clone)]
pub struct Member {
    /// The member.
    pub actor: Actor,
    /// Whether the member must choose a password before anything else.
    pub must_choose: bool,
    /// Whether the session's end has moved: the cookie is to be sent anew.
    pub renewed: bool,
}

impl Control {
    /// Signs a member in.
    ///
    /// # Errors
    /// [`Fault::WrongCredentials`], [`Fault::TooManyAttempts`].
    pub fn sign_in(&self, email: &str, password: &str) -> Result<SignedIn, Fault> {
        let (email, now) = (email.trim().to_lowercase(), self.now_ms());
        SIGN_INS.count(&email, now)?;
        let user = self
            .catalog()
            .user_by_email(&email)
            .map_err(|error| self.fault(error.into()))?;
        let stored = user
            .as_ref()
            .map_or(NOBODY.as_str(), |user| user.password.as_str());
        let right = matches(password, stored);
        let Some(user) = user else {
            return Err(Fault::WrongCredentials);
        };
        let caller = Caller {
            actor: Some(actor(&user)),
            door: Door::Console,
        };
        if !right {
            self.record(&caller, Act::SignInRefused, "")?;
            return Err(Fault::WrongCredentials);
        }
        SIGN_INS.forget(&email);
        self.open_session(&caller, &user)
    }

    /// A session for a member who has proven who it is.
    fn open_session(&self, caller: &Caller, user: &User) -> Result<SignedIn, Fault> {
        let (token, now) = (Token::random(), self.now_ms());
        let end = now + SESSION_SECONDS * 1000;
        self.ask(
            self.catalog()
                .create_session(&token.hash(), user.id, now, end),
        )?;
        self.record(caller, Act::SignIn, "")?;
        Ok(SignedIn {
            token,
            choices: user.choices.clone(),
        })
    }

    /// The member whose session this is; none when it has ended. Moves the session's end.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub fn authenticate(&self, token: &Token) -> Result<Option<Member>, Fault> {
        let now = self.now_ms();
        let found = self
            .catalog()
            .user_by_session(&token.hash(), now)
            .map_err(|error| self.fault(error.into()))?;
        let Some((user, seen)) = found else {
            return Ok(None);
        };
        let renewed = now - seen > TOUCH_MS;
        if renewed {
            self.catalog()
                .touch_session(&token.hash(), now, now + SESSION_SECONDS * 1000)
                .map_err(|error| self.fault(error.into()))?;
        }
        let actor = Actor {
            session: Some(token.hash()),
            ..actor(&user)
        };
        Ok(Some(Member {
            actor,
            must_choose: user.one_time,
            renewed,
        }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`Fault::Internal`].
    pub fn sign_out(&self, caller: &Caller, token: &Token) -> Result<(), Fault> {
        self.catalog()
            .delete_session(&token.hash())
            .map_err(|error| self.fault(error.into()))?;
        if caller.actor.is_some() {
            self.record(caller, Act::SignOut, "")?;
        }
        Ok(())
    }

    /// Replaces a one-time password, with which one has just signed in; every other session of that member ends.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`], [`Fault::PasswordTooShort`], [`Fault::PasswordsDiffer`]; [`Fault::NotAllowed`] when the
    /// password is the member's own: then the present one is asked for.
    pub fn choose_password(&self, token: &Token, password: &str, again: &str) -> Result<(), Fault> {
        let member = self.authenticate(token)?.ok_or(Fault::SignInNeeded)?;
        if !member.must_choose {
            return Err(Fault::NotAllowed);
        }
        checked_password(password, again)?;
        self.catalog()
            .set_password(
                member.actor.user,
                &hash(password)?,
                false,
                Some(&token.hash()),
            )
            .map_err(|error| self.fault(error.into()))
    }

    /// Gives the member with this address a one-time password, ends the member's sessions, and tells the password.
    /// For the operator at the machine; no page leads here.
    ///
    /// # Errors
    /// [`Fault::WrongCredentials`] when nobody has this address.
    pub fn reset_password(
        catalog: &crate::catalog::Catalog,
        email: &str,
    ) -> Result<String, PasswordError> {
        let user = catalog
            .user_by_email(email.trim())?
            .ok_or(PasswordError::Nobody)?;
        let password = one_time_password();
        let hash = hash(&password).map_err(PasswordError::Hash)?;
        catalog.set_password(user.id, &hash, true, None)?;
        Ok(password)
    }

    /// What the frame of every page shows of who is signed in.
    ///
    /// # Errors
    /// [`Fault::SignInNeeded`].
    pub fn session(&self, caller: &Caller) -> Result<SessionView, Fault> {
        let actor = caller.actor.as_ref().ok_or(Fault::SignInNeeded)?;
        Ok(SessionView {
            name: actor.name.clone(),
            email: actor.email.clone(),
            role: actor.role,
            operator: actor.operator,
            organization: actor.organization_name.clone(),
            region: self.region().to_owned(),
            zones: self.zone_views(),
            now: moment(&time_zone(&actor.time_zone), self.now_ms()),
            kit_due: actor.role.may(Permission::HoldKit) && self.kit_is_due(actor.organization)?,
            theme: None, // a matter of the browser: `server` knows
        })
    }

    /// Makes an organization with one member, for the first start and for the demo. The first member of all is who started
    /// Reprise, and an operator.
    ///
    /// # Errors
    /// [`Fault::Internal`], also when the address is taken.
    pub fn create_organization(
        &self,
        name: &str,
        time_zone: &str,
        member: NewMember<'_>,
    ) -> Result<OrganizationId, Fault> {
        let (organization, now) = (OrganizationId::new(), self.now_ms());
        let mut user = new_user(organization, member)?;
        self.catalog()
            .write(|tx| {
                user.operator = has_no_members(tx)?;
                insert_organization(tx, organization, name, time_zone, now)?;
                insert_user(tx, &user, now)
            })
            .map_err(|error: crate::catalog::Error| self.fault(error.into()))?;
        Ok(organization)
    }

    /// Adds a member to an organization.
    ///
    /// # Errors
    /// [`Fault::Internal`], also when the address is taken.
    pub fn create_member(
        &self,
        organization: OrganizationId,
        member: NewMember<'_>,
    ) -> Result<UserId, Fault> {
        let user = new_user(organization, member)?;
        let now = self.now_ms();
        self.catalog()
            .write(|tx| insert_user(tx, &user, now))
            .map_err(|error: crate::catalog::Error| self.fault(error.into()))?;
        Ok(user.id)
    }
}

/// Why a password could not be given.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Nobody has this address.
    #[error("no member has this address")]
    Nobody,
    /// The catalog could not be read or written.
    #[error(transparent)]
    Catalog(#[from] crate::catalog::Error),
    /// The new password could not be hashed.
    #[error("the password could not be hashed")]
    Hash(#[source] Fault),
}

/// A member to be.
#[derive(Debug, Clone, Copy)]
pub struct NewMember<'a> {
    /// The address to sign in with.
    pub email: &'a str,
    /// The member's name.
    pub name: &'a str,
    /// What the member may do.
    pub role: Role,
    /// The password.
    pub password: &'a str,
    /// Whether it must be replaced at the first visit.
    pub one_time: bool,
}

fn new_user(organization: OrganizationId, member: NewMember<'_>) -> Result<User, Fault> {
    Ok(User {
        id: UserId::new(),
        organization,
        organization_name: String::new(),
        time_zone: String::new(),
        choices: Choices::default(),
        email: member.email.to_lowercase(),
        name: member.name.to_owned(),
        role: member.role,
        password: hash(member.password)?,
        one_time: member.one_time,
        operator: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_kept_as_salted_hashes() {
        let (one, two) = (
            hash("correct horse").expect("a hash"),
            hash("correct horse").expect("a hash"),
        );
        assert_ne!(one, two);
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert!(
            matches("correct horse", &one)
                && !matches("correct horsf", &one)
                && !matches("", "rubbish")
        );
    }

    #[test]
    fn a_one_time_password_is_long_and_legible() {
        let password = one_time_password();
        assert_eq!(password.len(), 24);
        assert!(
            password
                .chars()
                .all(|c| c == '-' || (c.is_ascii_alphanumeric() && !"ilo01".contains(c))),
            "{password}"
        );
        assert_ne!(password, one_time_password());
    }
}
