//! Traces for an OpenTelemetry collector (OTLP over HTTP, protobuf). Only our own spans go there, and their fields hold
//! lessons and servers, never people.

use opentelemetry::{KeyValue, trace::TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::{Level, Subscriber};
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

/// Where the collector takes traces, under its base address (OTLP/HTTP).
const PATH: &str = "/v1/traces";

/// The collector cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TracesError(#[from] ExporterBuildError);

/// Sends ended spans in batches, from a thread of its own; a collector that is away costs nothing but the traces.
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// To the collector at a base address, keeping this share of the traces (0 to 1).
    pub fn start(endpoint: &str, share: f64, node: &str) -> Result<Self, TracesError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{endpoint}{PATH}"))
            .build()?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let named = KeyValue::new("service.instance.id", node.to_owned());
        let resource =
            Resource::builder().with_service_name("qism").with_attributes([version, named]).build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    pub fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> impl Layer<S> + use<S> {
        let ours = Targets::new().with_target("qism", Level::INFO).with_target("qism_signaling", Level::INFO);
        let tracer = self.provider.tracer("qism");
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_filter(ours)
    }

    /// Sends what is left.
    pub fn stop(self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}
