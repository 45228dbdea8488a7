//! A caller: the name, roles, experiments and rate of its token.

use std::time::Instant;

use super::rate::Rate;
use crate::error::ApiError;
use crate::operate::noted;

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Send traces.
    Ingest,
    /// Ask.
    Read,
    /// Tags, assessments, datasets.
    Write,
    /// Deletes, and all that the others may.
    Admin,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Ingest, Self::Read, Self::Write, Self::Admin];

    /// Its word in a token file.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

/// Who sent a request.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) name: String,
    roles: Vec<Role>,
    /// The experiments that it may send to and see; `None` for all.
    experiments: Option<Vec<String>>,
    /// The requests that it may make; `None` for any number.
    rate: Option<Rate>,
}

impl Caller {
    /// Whoever reaches a server without tokens.
    pub(super) fn owner(requests_per_second_max: Option<u32>) -> Self {
        Self::new("owner", vec![Role::Admin], None, requests_per_second_max)
    }

    pub(super) fn new(
        name: &str,
        roles: Vec<Role>,
        experiments: Option<Vec<String>>,
        requests_per_second_max: Option<u32>,
    ) -> Self {
        Self {
            name: name.into(),
            roles,
            experiments,
            rate: requests_per_second_max.map(Rate::new),
        }
    }

    /// The owner, by another name.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self::new(name, vec![Role::Admin], None, None)
    }

    /// One with these roles, for some experiments.
    #[cfg(test)]
    pub(crate) fn limited(roles: &[Role], experiments: &[&str]) -> Self {
        let experiments = experiments.iter().map(|id| (*id).into()).collect();
        Self::new("limited", roles.to_vec(), Some(experiments), None)
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 when there were too many in this time.
    pub(super) fn check_rate(&self, now: Instant) -> Result<(), ApiError> {
        let taken = self.rate.as_ref().map_or(Ok(()), |rate| rate.take(now));
        taken.map_err(|after| {
            noted::too_many();
            ApiError::too_many(
                format!("the token {:?} has made too many requests", self.name),
                after,
            )
        })
    }

    /// # Errors
    /// 403 naming the role that is needed.
    pub(crate) fn check_role(&self, role: Role) -> Result<(), ApiError> {
        noted::role(role);
        if self.roles.contains(&role) || self.roles.contains(&Role::Admin) {
            return Ok(());
        }
        Err(ApiError::forbidden(format!(
            "the token {:?} has not the role {}",
            self.name,
            role.as_str()
        )))
    }

    /// The experiments that it may send to and see; `None` for all.
    pub(crate) fn experiments(&self) -> Option<&[String]> {
        self.experiments.as_deref()
    }

    /// # Errors
    /// 403 when the experiment is none of the token's.
    pub(crate) fn check_experiment(&self, experiment_id: &str) -> Result<(), ApiError> {
        match &self.experiments {
            Some(own) if !own.iter().any(|own| own == experiment_id) => {
                Err(ApiError::forbidden(format!(
                    "the token {:?} is not for experiment {experiment_id:?}",
                    self.name
                )))
            }
            _ => Ok(()),
        }
    }

    /// For what reads all experiments at once, as SQL does.
    ///
    /// # Errors
    /// 403 when the token is for some experiments alone.
    pub(crate) fn check_all_experiments(&self, what: &str) -> Result<(), ApiError> {
        match self.experiments {
            None => Ok(()),
            Some(_) => Err(ApiError::forbidden(format!(
                "{what} reads all experiments, and the token {:?} is for some alone",
                self.name
            ))),
        }
    }
}
