//! The client of a cluster: sends a plan to the scheduler, waits for the job, fetches its result, and runs it again
//! if it lost an executor. `backend/cluster.rs` calls it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use ballista_core::client::BallistaClient;
use ballista_core::extension::SessionConfigExt;
use ballista_core::serde::protobuf::execute_query_failure_result::Failure;
use ballista_core::serde::protobuf::execute_query_params::Query;
use ballista_core::serde::protobuf::operator_metric::Metric;
use ballista_core::serde::protobuf::scheduler_grpc_client::SchedulerGrpcClient;
use ballista_core::serde::protobuf::{
    CancelJobParams, ExecuteQueryParams, GetJobMetricsParams, GetJobStatusParams, KeyValuePair, PartitionLocation,
    execute_query_result, job_status,
};
use ballista_core::utils::{GrpcClientConfig, create_grpc_client_endpoint};
use ballista_core::version::insert_version_header;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use datafusion_proto::physical_plan::AsExecutionPlan;
use datafusion_proto::protobuf::PhysicalPlanNode;
use futures::TryStreamExt;
use prost::Message;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::prepare::prepare;
use super::{ClusterError, Codec, MESSAGE_BYTES, ballista, texts};
use crate::sources::BYTES_READ;

/// How often a job's status is polled.
const POLL: Duration = Duration::from_millis(25);
/// How long it may take until the scheduler knows a submitted job.
const QUEUED_WITHIN: Duration = Duration::from_secs(20);
/// How often job progress is checked.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many times a job is attempted if it loses executors; the scheduler may notice the loss only on the second
/// attempt.
const TRIES: u32 = 6;
/// The delay before the second attempt; it doubles with each further one. Whatever the first attempt left behind ends
/// in the meantime.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How many times fetching a result is attempted.
const FETCHES: u8 = 3;
const FETCH_WAIT_MILLIS: u64 = 500;

/// Runs plans on a cluster.
#[derive(Clone)]
pub struct Client {
    address: Arc<str>,
    codec: Arc<Codec>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// The result of a plan and its cost.
#[derive(Debug, Default)]
pub struct Ran {
    /// Its rows.
    pub batches: Vec<RecordBatch>,
    /// Rows read by its leaves.
    pub rows_read: u64,
    /// Bytes of record keys and values read by its leaves.
    pub bytes_read: u64,
    /// Bytes spilled to disk because they did not fit into the executors' memory.
    pub spilled_bytes: u64,
}

/// A job that is canceled when nobody waits for it anymore.
struct Job {
    id: String,
    scheduler: SchedulerGrpcClient<Channel>,
    is_done: bool,
}

impl Drop for Job {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        if !self.is_done {
            let (mut scheduler, job_id) = (self.scheduler.clone(), std::mem::take(&mut self.id));
            runtime.spawn(async move { scheduler.cancel_job(CancelJobParams { job_id }).await });
        }
    }
}

impl Client {
    /// The scheduler's address, `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A client of the scheduler at `host:port`. Connects when a plan is run.
    pub fn new(address: &str, codec: Codec) -> Self {
        Self {
            address: address.into(),
            codec: Arc::new(codec),
        }
    }

    /// Runs a step's plan whose result is small, such as the names of the files it writes.
    ///
    /// # Errors
    /// When the scheduler does not answer, or the job fails.
    pub async fn run(
        &self,
        step: &str,
        plan: Arc<dyn ExecutionPlan>,
        config: &SessionConfig,
    ) -> Result<Ran, ClusterError> {
        let plan = prepare(plan).map_err(ClusterError::Plan)?;
        let plan = PhysicalPlanNode::try_from_physical_plan(plan, self.codec.as_ref()).map_err(ClusterError::Plan)?;
        let config = ballista(config).with_ballista_job_name(step);
        let settings = config.options().entries().into_iter();
        let settings = settings.map(|entry| KeyValuePair {
            key: entry.key,
            value: entry.value,
        });
        let query = Query::PhysicalPlan(plan.encode_to_vec());
        let settings: Vec<_> = settings.collect();
        let mut tries = 1;
        loop {
            let query = ExecuteQueryParams {
                query: Some(query.clone()),
                settings: settings.clone(),
                session_id: format!("{:032x}", rand::random::<u128>()),
                operation_id: format!("{:032x}", rand::random::<u128>()),
            };
            match self.once(query, &config).await {
                Err(error) if error.has_lost_an_executor() && tries < TRIES => {
                    tracing::warn!(step, tries, %error, "the job lost an executor; retrying it");
                    tokio::time::sleep(TRY_AGAIN_AFTER * 2_u32.pow(tries - 1)).await;
                    tries += 1;
                }
                ended => return ended,
            }
        }
    }

    /// Runs a job once. A failed job has no effect: only files that the client commits count.
    async fn once(&self, query: ExecuteQueryParams, config: &SessionConfig) -> Result<Ran, ClusterError> {
        let mut job = self.submit(query, config).await?;
        let parts = self.finished(&mut job).await?;
        let mut ran = measured(&mut job).await;
        for part in parts {
            let fetched = self.fetch(part).await;
            ran.batches.extend(fetched.map_err(|reason| ClusterError::Failed {
                job: job.id.clone(),
                reason: texts::not_fetched(&reason),
            })?);
        }
        tracing::info!(
            job = job.id,
            rows_read = ran.rows_read,
            spilled_bytes = ran.spilled_bytes,
            "the cluster finished a job"
        );
        Ok(ran)
    }

    /// Interprets an error status: the scheduler is unreachable, or it rejected the request.
    fn refused(&self, status: &Status) -> ClusterError {
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Unknown | Code::Cancelled => {
                self.unreachable(status.message())
            }
            _ => ClusterError::Refused {
                address: self.address.to_string(),
                reason: status.message().to_owned(),
            },
        }
    }

    pub(super) fn unreachable(&self, reason: impl fmt::Display) -> ClusterError {
        ClusterError::Unreachable {
            address: self.address.to_string(),
            reason: reason.to_string(),
        }
    }

    pub(super) fn unreadable(&self, reason: impl fmt::Display) -> ClusterError {
        ClusterError::Unreadable {
            address: self.address.to_string(),
            reason: reason.to_string(),
        }
    }

    /// A connection to the scheduler.
    pub(super) async fn connect(&self, timeouts: &GrpcClientConfig) -> Result<Channel, ClusterError> {
        let endpoint = create_grpc_client_endpoint(format!("http://{}", self.address), Some(timeouts));
        let endpoint = endpoint.map_err(|error| self.unreachable(error))?;
        let channel = endpoint.connect().await;
        channel.map_err(|error| self.unreachable(deepest(&error)))
    }

    async fn submit(&self, query: ExecuteQueryParams, config: &SessionConfig) -> Result<Job, ClusterError> {
        let channel = self.connect(&GrpcClientConfig::from(&config.ballista_config())).await?;
        let mut scheduler = SchedulerGrpcClient::new(channel)
            .max_encoding_message_size(MESSAGE_BYTES)
            .max_decoding_message_size(MESSAGE_BYTES);
        let mut request = tonic::Request::new(query);
        insert_version_header(request.metadata_mut());
        let answer = scheduler.execute_query(request).await;
        let answer = answer.map_err(|status| self.refused(&status))?.into_inner();
        match answer.result {
            Some(execute_query_result::Result::Success(job)) => Ok(Job {
                id: job.job_id,
                scheduler,
                is_done: false,
            }),
            Some(execute_query_result::Result::Failure(failure)) => Err(ClusterError::Failed {
                job: answer.operation_id,
                reason: match failure.failure {
                    Some(
                        Failure::PlanParsingFailure(reason)
                        | Failure::SessionNotFound(reason)
                        | Failure::SqlParsingFailure(reason),
                    ) => reason,
                    None => "the scheduler does not say why".to_owned(),
                },
            }),
            None => Err(ClusterError::Failed {
                job: answer.operation_id,
                reason: "the scheduler does not answer in a known format; run the same version of clickrec \
                         everywhere"
                    .to_owned(),
            }),
        }
    }

    /// Waits for a job; returns where its result is.
    async fn finished(&self, job: &mut Job) -> Result<Vec<PartitionLocation>, ClusterError> {
        let (submitted, mut was_seen, mut looked) = (Instant::now(), false, Instant::now());
        loop {
            let job_id = job.id.clone();
            let answer = job.scheduler.get_job_status(GetJobStatusParams { job_id }).await;
            let answer = answer.map_err(|status| self.refused(&status))?.into_inner();
            let status = answer.status.and_then(|status| status.status);
            was_seen |= status.is_some();
            if looked.elapsed() > PATIENCE {
                looked = Instant::now();
                self.look_after(&job.id, submitted).await;
            }
            match status {
                // A new job is not known immediately.
                None if !was_seen && submitted.elapsed() < QUEUED_WITHIN => tokio::time::sleep(POLL).await,
                None => {
                    job.is_done = true;
                    return Err(ClusterError::Forgotten {
                        address: self.address.to_string(),
                        job: job.id.clone(),
                    });
                }
                Some(job_status::Status::Queued(_) | job_status::Status::Running(_)) => tokio::time::sleep(POLL).await,
                Some(job_status::Status::Failed(failed)) => {
                    job.is_done = true;
                    return Err(ClusterError::Failed {
                        job: job.id.clone(),
                        reason: texts::reason(failed.error),
                    });
                }
                Some(job_status::Status::Successful(done)) => {
                    job.is_done = true;
                    return Ok(done.partition_location);
                }
            }
        }
    }

    /// Logs a job's progress, and warns if no executor works on it.
    async fn look_after(&self, id: &str, submitted: Instant) {
        let seconds = submitted.elapsed().as_secs();
        let state = match self.state().await {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(job = id, seconds, %error, "cannot get the progress of the job");
                return;
            }
        };
        if state.executors.is_empty() {
            tracing::warn!(
                job = id,
                seconds,
                "the cluster has no executors; the job is waiting for one\n  help: clickrec executor --scheduler {}",
                self.address
            );
        } else if let Some(job) = state.jobs.iter().find(|job| job.id == id) {
            let (stages, done) = (job.stages, job.stages_done);
            tracing::info!(job = id, step = job.step, seconds, stages, done, "the job is running");
        }
    }

    /// Fetches a part of a result from the executor that has it.
    async fn fetch(&self, part: PartitionLocation) -> Result<Vec<RecordBatch>, String> {
        let layout = part.layout();
        let (Some(executor), Some(partition)) = (part.executor_meta, part.partition_id) else {
            return Err("the scheduler does not say where the result is".to_owned());
        };
        let port = u16::try_from(executor.port).map_err(|error| error.to_string())?;
        let host = executor.host.as_str();
        let client = BallistaClient::try_new(host, port, MESSAGE_BYTES, false, None, FETCHES, FETCH_WAIT_MILLIS, 0, 0);
        let mut client = client.await.map_err(|error| error.to_string())?;
        let partition = partition.into();
        let rows = client.fetch_partition_proxied(&executor.id, &partition, part.file_id, layout, host, port, true);
        let rows = rows.await.map_err(|error| error.to_string())?;
        rows.try_collect().await.map_err(|error| error.to_string())
    }
}

/// The metrics of a job's tasks; empty if the scheduler no longer has them.
async fn measured(job: &mut Job) -> Ran {
    let mut ran = Ran::default();
    let job_id = job.id.clone();
    let Ok(told) = job.scheduler.get_job_metrics(GetJobMetricsParams { job_id }).await else {
        return ran;
    };
    for operator in told.into_inner().stages.into_iter().flat_map(|stage| stage.operators) {
        let reads = texts::reads(&operator.operator_type, &operator.operator_desc);
        for metric in operator.metrics.into_iter().filter_map(|metric| metric.metric) {
            match metric {
                Metric::OutputRows(rows) if reads => ran.rows_read += rows,
                Metric::Count(count) if count.name == BYTES_READ => ran.bytes_read += count.value,
                Metric::SpilledBytes(bytes) => ran.spilled_bytes += bytes,
                _ => {}
            }
        }
    }
    ran
}

/// The innermost error, which is the most specific.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
