//! A fault in the reader's words: what happened, and what one can do about it.

use super::format::{bytes, count, duration};
use super::t;
use crate::domain::fault::{Fault, Noun};
use crate::domain::locale::Locale;

/// The sentence for a fault. Every fault has its own; the match has no rest, so that a new one cannot be forgotten.
#[must_use]
pub fn sentence(locale: Locale, fault: &Fault) -> String {
    match fault {
        Fault::SignInNeeded => t!(locale, "fault-sign-in-needed"),
        Fault::WrongCredentials => t!(locale, "fault-wrong-credentials"),
        Fault::TooManyAttempts { seconds } => {
            t!(
                locale,
                "fault-too-many-attempts",
                time = duration(locale, u64::from(*seconds))
            )
        }
        Fault::PasswordChangeNeeded => t!(locale, "fault-password-change-needed"),
        Fault::PasswordTooShort { min } => {
            t!(
                locale,
                "fault-password-too-short",
                min = count(locale, u64::from(*min))
            )
        }
        Fault::PasswordsDiffer => t!(locale, "fault-passwords-differ"),
        Fault::WrongPassword => t!(locale, "fault-wrong-password"),
        Fault::AddressUnreadable => t!(locale, "fault-address-unreadable"),
        Fault::AddressNotFree => t!(locale, "fault-address-not-free"),
        Fault::InvitationNotUsable => t!(locale, "fault-invitation-not-usable"),
        Fault::LastOwner => t!(locale, "fault-last-owner"),
        Fault::OwnRole => t!(locale, "fault-own-role"),
        Fault::TimeZoneUnknown => t!(locale, "fault-time-zone-unknown"),
        Fault::NotConfirmed => t!(locale, "fault-not-confirmed"),
        Fault::PassphraseTooShort { min } => {
            t!(
                locale,
                "fault-passphrase-too-short",
                min = count(locale, u64::from(*min))
            )
        }
        Fault::PassphrasesDiffer => t!(locale, "fault-passphrases-differ"),
        Fault::NotAllowed => t!(locale, "fault-not-allowed"),
        Fault::NotFound { what } => t!(locale, "fault-not-found", what = noun(*what)),
        Fault::ForeignOrigin => t!(locale, "fault-foreign-origin"),
        Fault::BadRequest => t!(locale, "fault-bad-request"),
        Fault::NameEmpty => t!(locale, "fault-name-empty"),
        Fault::NameTooLong { max } => t!(
            locale,
            "fault-name-too-long",
            max = count(locale, u64::from(*max))
        ),
        Fault::NameUnreadable => t!(locale, "fault-name-unreadable"),
        Fault::NameTaken { name } => t!(locale, "fault-name-taken", name = name.as_str()),
        Fault::SizeOutOfRange { min_gib, max_gib } => t!(
            locale,
            "fault-size-out-of-range",
            min = count(locale, *min_gib),
            max = count(locale, *max_gib)
        ),
        Fault::InUse { name } => t!(locale, "fault-in-use", name = name.as_str()),
        Fault::SnapshotNotUsable { name } => {
            t!(locale, "fault-snapshot-not-usable", name = name.as_str())
        }
        Fault::PoolFull { zone, free } => {
            t!(
                locale,
                "fault-pool-full",
                zone = zone.as_str(),
                free = bytes(locale, *free)
            )
        }
        Fault::UploadCutOff => t!(locale, "fault-upload-cut-off"),
        Fault::UploadMissing => t!(locale, "fault-upload-missing"),
        Fault::NotADiskImage => t!(locale, "fault-not-a-disk-image"),
        Fault::ImageNotSelfContained => t!(locale, "fault-image-not-self-contained"),
        Fault::ImageTooLarge { needed, free } => t!(
            locale,
            "fault-image-too-large",
            needed = bytes(locale, *needed),
            free = bytes(locale, *free)
        ),
        Fault::ImporterMissing => t!(locale, "fault-importer-missing"),
        Fault::ObjectStoreUnavailable => t!(locale, "fault-object-store-unavailable"),
        Fault::ObjectStoreOther => t!(locale, "fault-object-store-other"),
        Fault::ObjectStoreFull => t!(locale, "fault-object-store-full"),
        Fault::ObjectStoreKeyMissing => t!(locale, "fault-object-store-key-missing"),
        Fault::ObjectStoreKeyWrong => t!(locale, "fault-object-store-key-wrong"),
        Fault::ServerFull => t!(locale, "fault-server-full"),
        Fault::SnapshotDamaged { object } => {
            t!(locale, "fault-snapshot-damaged", object = object.as_str())
        }
        Fault::VolumeDamaged { name } => t!(locale, "fault-volume-damaged", name = name.as_str()),
        Fault::HypervisorMissing => t!(locale, "fault-hypervisor-missing"),
        Fault::StartFailed { name } => t!(locale, "fault-start-failed", name = name.as_str()),
        Fault::InstanceDied { name } => t!(locale, "fault-instance-died", name = name.as_str()),
        Fault::DiskStopped { name } => t!(locale, "fault-disk-stopped", name = name.as_str()),
        Fault::StopIgnored { name, seconds } => t!(
            locale,
            "fault-stop-ignored",
            name = name.as_str(),
            time = duration(locale, u64::from(*seconds))
        ),
        Fault::MustBeStopped { name } => t!(locale, "fault-must-be-stopped", name = name.as_str()),
        Fault::MustBeRunning { name } => t!(locale, "fault-must-be-running", name = name.as_str()),
        Fault::Attached { name, instance } => t!(
            locale,
            "fault-attached",
            name = name.as_str(),
            instance = instance.as_str()
        ),
        Fault::NotAttachable { name } => t!(locale, "fault-not-attachable", name = name.as_str()),
        Fault::NoOffering => t!(locale, "fault-no-offering"),
        Fault::NotBootable { name } => t!(locale, "fault-not-bootable", name = name.as_str()),
        Fault::NeedsUefi { name } => t!(locale, "fault-needs-uefi", name = name.as_str()),
        Fault::NotARootVolume { name } => {
            t!(locale, "fault-not-a-root-volume", name = name.as_str())
        }
        Fault::DiskElsewhere { volume, instance } => t!(
            locale,
            "fault-disk-elsewhere",
            volume = volume.as_str(),
            instance = instance.as_str()
        ),
        Fault::NoMemoryToKeep { name } => {
            t!(locale, "fault-no-memory-to-keep", name = name.as_str())
        }
        Fault::MemoryElsewhere { then, now } => t!(
            locale,
            "fault-memory-elsewhere",
            then = then.as_str(),
            now = now.as_str()
        ),
        Fault::MemoryDamaged { name } => t!(locale, "fault-memory-damaged", name = name.as_str()),
        Fault::MemoryNotSaved { name } => {
            t!(locale, "fault-memory-not-saved", name = name.as_str())
        }
        Fault::ClockNotSet => t!(locale, "fault-clock-not-set"),
        Fault::NoSafetyPoint => t!(locale, "fault-no-safety-point"),
        Fault::PlanOutdated => t!(locale, "fault-plan-outdated"),
        Fault::SeveralRefused {
            started,
            refused,
            name,
            reason,
        } => t!(
            locale,
            "fault-several-refused",
            started = u64::from(*started),
            started_text = count(locale, u64::from(*started)),
            refused = u64::from(*refused),
            refused_text = count(locale, u64::from(*refused)),
            name = name.as_str(),
            reason = sentence(locale, reason)
        ),
        Fault::TextTooLong { max } => t!(
            locale,
            "fault-text-too-long",
            max = count(locale, u64::from(*max))
        ),
        Fault::NotUndoable => t!(locale, "fault-not-undoable"),
        Fault::NotInterruptible => t!(locale, "fault-not-interruptible"),
        Fault::NotRetryable => t!(locale, "fault-not-retryable"),
        Fault::Interrupted => t!(locale, "fault-interrupted"),
        Fault::Unreachable => t!(locale, "fault-unreachable"),
        Fault::Internal { reference } => {
            t!(locale, "fault-internal", reference = reference.as_str())
        }
    }
}

const fn noun(what: Noun) -> &'static str {
    match what {
        Noun::Volume => "volume",
        Noun::Snapshot => "snapshot",
        Noun::Zone => "zone",
        Noun::Job => "job",
        Noun::Page => "page",
        Noun::Instance => "instance",
        Noun::Point => "point",
        Noun::Template => "template",
        Noun::Member => "member",
        Noun::Invitation => "invitation",
    }
}
