//! The parameters and arguments of such functions (`item => 'prod_88'`, `k => 10`): their kinds, defaults and checks,
//! and the errors that name the argument.

use std::collections::BTreeMap;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, Result, plan_err};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast};

/// What a parameter accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table, a CTE or a subquery; a table's name may be in single quotes.
    Relation,
    /// The name of a column of the preceding relation.
    Column,
    /// An integer.
    Integer,
    /// A number.
    Number,
    /// A string in single quotes.
    Text,
    /// `true` or `false`.
    Flag,
}

impl Kind {
    /// Its name in messages.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Relation => "a table, a CTE or a (subquery)",
            Self::Column => "the name of a column",
            Self::Integer => "a whole number",
            Self::Number => "a number",
            Self::Text => "a string in single quotes",
            Self::Flag => "true or false",
        }
    }
}

/// One parameter of a function.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// `name => value`.
    pub name: &'static str,
    /// What it accepts.
    pub kind: Kind,
    /// Its default, for help; `None` if it is required.
    pub default: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

impl Parameter {
    /// A required parameter.
    pub const fn required(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default: None,
            doc,
        }
    }

    /// An optional parameter with a default.
    pub const fn optional(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            kind,
            default: Some(default),
            doc,
        }
    }

    /// Whether an argument of this name belongs to it.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// The value of an argument.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Relation(Box<LogicalPlan>),
    Column(String),
    Integer(i64),
    Number(f64),
    Text(String),
    Flag(bool),
}

/// The arguments of a call, each of the kind its parameter accepts.
#[derive(Debug, Clone)]
pub struct Arguments {
    pub(super) function: &'static str,
    pub(super) values: BTreeMap<&'static str, Value>,
}

impl Arguments {
    /// The function, for messages.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// A relation.
    ///
    /// # Errors
    /// When it was not given.
    pub fn relation(&self, name: &str) -> Result<&LogicalPlan> {
        match self.values.get(name) {
            Some(Value::Relation(plan)) => Ok(plan),
            _ => plan_err!(
                "{}: `{name}` is missing; it must be {}",
                self.function,
                Kind::Relation.describe()
            ),
        }
    }

    /// An optional relation.
    pub fn relation_if_given(&self, name: &str) -> Option<&LogicalPlan> {
        match self.values.get(name) {
            Some(Value::Relation(plan)) => Some(plan),
            _ => None,
        }
    }

    /// A column's name.
    ///
    /// # Errors
    /// When it was not given.
    pub fn column(&self, name: &str) -> Result<&str> {
        match self.values.get(name) {
            Some(Value::Column(column)) => Ok(column),
            _ => plan_err!("{0}: `{name}` is missing; write {name} => COLUMN", self.function),
        }
    }

    /// Whether an argument was given.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// An integer within a range, or its default.
    ///
    /// # Errors
    /// When it is outside the range.
    pub fn integer(&self, name: &str, default: i64, range: std::ops::RangeInclusive<i64>) -> Result<i64> {
        let value = match self.values.get(name) {
            Some(Value::Integer(value)) => *value,
            _ => default,
        };
        if !range.contains(&value) {
            let (low, high) = range.into_inner();
            return plan_err!("{}: {name} is {value}; it must be from {low} to {high}", self.function);
        }
        Ok(value)
    }

    /// A number, or its default.
    pub fn number(&self, name: &str, default: f64) -> f64 {
        match self.values.get(name) {
            Some(Value::Number(value)) => *value,
            Some(Value::Integer(value)) => *value as f64,
            _ => default,
        }
    }

    /// A string, if given.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A flag, or its default.
    pub fn flag(&self, name: &str, default: bool) -> bool {
        match self.values.get(name) {
            Some(Value::Flag(value)) => *value,
            _ => default,
        }
    }

    /// An expression for a column of a relation, cast to a type.
    ///
    /// # Errors
    /// When the relation has no such column (the message lists its columns), or it cannot be cast.
    pub fn column_of(&self, relation: &str, column: &str, data_type: &DataType) -> Result<Expr> {
        let plan = self.relation(relation)?;
        let schema = plan.schema();
        let Ok((qualifier, field)) = schema.qualified_field_with_unqualified_name(column) else {
            let known: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
            return plan_err!(
                "{}: the relation `{relation}` has no column `{column}`; its columns are {}",
                self.function,
                known.join(", ")
            );
        };
        let numeric = matches!(data_type, DataType::Float32);
        if (numeric && !field.data_type().is_numeric()) || field.data_type().is_nested() {
            return plan_err!(
                "{}: column `{column}` of `{relation}` is {}; it must be {}",
                self.function,
                field.data_type(),
                if numeric { "a number" } else { "a plain value" }
            );
        }
        let reference = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        Ok(cast(reference, data_type.clone()).alias(column))
    }

    /// A relation projected to some columns.
    ///
    /// # Errors
    /// As [`Arguments::relation`].
    pub fn project(&self, relation: &str, columns: Vec<Expr>) -> Result<LogicalPlan> {
        LogicalPlanBuilder::from(self.relation(relation)?.clone())
            .project(columns)?
            .build()
    }
}
