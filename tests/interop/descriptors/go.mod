module example.com/descriptors

go 1.26

require (
	go.opentelemetry.io/proto/slim/otlp v1.11.0
	google.golang.org/protobuf v1.36.12
)
