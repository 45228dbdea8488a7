//! A caller: the name, roles and experiments of its token.

use crate::error::ApiError;

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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    roles: Vec<Role>,
    /// The experiments that it may send to and see; `None` for all.
    experiments: Option<Vec<String>>,
}

impl Caller {
    /// Whoever reaches a server without tokens.
    pub(crate) fn owner() -> Self {
        Self {
            name: "owner".into(),
            roles: vec![Role::Admin],
            experiments: None,
        }
    }

    /// # Errors
    /// 403 naming the role that is needed.
    pub(crate) fn check_role(&self, role: Role) -> Result<(), ApiError> {
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
