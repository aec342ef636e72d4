//! Errors of the client library, and what each says of a commit.

use foundationdb::FdbError;

use crate::error::StoreError;

/// An error of the client library, by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("FoundationDB error {0}: {text}", text = self.text())]
pub(super) struct Fault(pub(super) i32);

impl From<FdbError> for Fault {
    fn from(error: FdbError) -> Self {
        Self(error.code())
    }
}

/// What an error that a commit returned says of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It did not happen and never will.
    NotCommitted,
    /// It happened or never will: which of them is not known.
    Decided,
    /// It happened, or may yet happen, or never will.
    Undecided,
}

impl Fault {
    pub(super) const OPERATION_FAILED: Self = Self(1000);
    pub(super) const TRANSACTION_TOO_OLD: Self = Self(1007);
    pub(super) const NOT_COMMITTED: Self = Self(1020);
    pub(super) const TOO_MANY_WATCHES: Self = Self(1032);
    pub(super) const NO_COMMIT_VERSION: Self = Self(2021);
    pub(super) const TRANSACTION_TOO_LARGE: Self = Self(2101);
    pub(super) const KEY_TOO_LARGE: Self = Self(2102);
    pub(super) const VALUE_TOO_LARGE: Self = Self(2103);

    /// The client library's own words.
    fn text(self) -> &'static str {
        FdbError::from_code(self.0).message()
    }

    /// What this says of the commit that returned it.
    ///
    /// The client library returns `commit_unknown_result` only after it has committed a transaction of its own that
    /// conflicts with the one in doubt, so that one cannot be applied any more. A timeout, a change of the cluster's
    /// version and a cancellation abandon the commit without that. An error not known to come before the commit, or
    /// instead of it, is taken for the worst.
    pub(super) fn fate(self) -> Fate {
        match self.0 {
            // The list of `fdb_error_predicate(RETRYABLE_NOT_COMMITTED, ..)`.
            1007 | 1009 | 1020 | 1037 | 1038 | 1042 | 1051 | 1078 | 1213 | 1223 | 1235 | 1242 => {
                Fate::NotCommitted
            }
            1021 => Fate::Decided,
            // The client's own checks, before anything is sent: but for `used_during_commit`.
            2000..=2016 | 2018..=2999 => Fate::NotCommitted,
            _ => Fate::Undecided,
        }
    }

    /// What the caller of a transaction is told when this ended it and nothing was written.
    pub(super) fn refusal(self) -> StoreError {
        match self {
            Self::NOT_COMMITTED => StoreError::Conflict,
            Self::TRANSACTION_TOO_LARGE | Self::KEY_TOO_LARGE | Self::VALUE_TOO_LARGE => {
                StoreError::TooLarge(self.to_string())
            }
            _ => StoreError::unavailable(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commit_unknown_result_is_decided_and_the_unlisted_is_undecided() {
        assert_eq!(Fault(1021).fate(), Fate::Decided);
        for code in [1025, 1031, 1039, 1101, 1500, 4100, 2017] {
            assert_eq!(Fault(code).fate(), Fate::Undecided, "{code}");
        }
        for code in [1007, 1009, 1020, 1038, 2101, 2102, 2103] {
            assert_eq!(Fault(code).fate(), Fate::NotCommitted, "{code}");
        }
    }
}
