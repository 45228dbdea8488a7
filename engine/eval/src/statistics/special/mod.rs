//! Special functions: the distributions that exact intervals and p-values rest on.
//!
//! Written from their definitions (DLMF chapters 5, 7 and 8), checked against scipy through the statistics that use them.
//!
//! **Invariants**
//! 1. Arguments are checked by the caller; a result that does not converge is `None`, never a rough one.

mod beta;
mod gamma;
mod normal;
mod student;

pub(super) use beta::{beta_inverse, beta_regularized};
pub(super) use normal::normal_critical;
pub(super) use student::{student_critical, student_two_sided};
