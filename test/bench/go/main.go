// Unary gRPC calls as a Go program makes them: grpc-go, a deadline on each, `streams` under way on each of
// `connections` channels. It says the same lines as the other generators, and needs no generated code: messages are
// bytes.
//
//	grpc-go-client --port 8080 --connections 4 --streams 25 --seconds 5
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

const (
	connectDeadline = 5 * time.Second
	callDeadline    = 10 * time.Second
	payloadBytes    = 100
	// Latencies kept for the percentile; calls beyond count in everything else.
	latenciesMax = 5_000_000
)

type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
func (rawCodec) Name() string { return "proto" }

type tally struct {
	latenciesUs []int64
	requests    int
	failures    int
	lastError   string
}

func (t *tally) call(ctx context.Context, channel *grpc.ClientConn, payload []byte) {
	ctx, cancel := context.WithTimeout(ctx, callDeadline)
	defer cancel()
	startedAt := time.Now()
	var answer []byte
	err := channel.Invoke(ctx, "/shop.Orders/Get", &payload, &answer, grpc.ForceCodec(rawCodec{}))
	if err == nil && len(answer) != payloadBytes {
		err = errors.New("another answer")
	}
	if err != nil {
		t.failures++
		t.lastError = err.Error()
		return
	}
	t.requests++
	if len(t.latenciesUs) < latenciesMax {
		t.latenciesUs = append(t.latenciesUs, time.Since(startedAt).Microseconds())
	}
}

func run() error {
	port := flag.Int("port", 0, "where the proxy listens")
	connections := flag.Int("connections", 4, "channels")
	streams := flag.Int("streams", 25, "calls under way on each channel")
	seconds := flag.Int("seconds", 5, "how long")
	flag.Parse()

	channels := make([]*grpc.ClientConn, *connections)
	for i := range channels {
		channel, err := grpc.NewClient(fmt.Sprintf("passthrough:///127.0.0.1:%d", *port),
			grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("origin.bench"))
		if err != nil {
			return err
		}
		channels[i] = channel
	}
	ctx := metadata.AppendToOutgoingContext(context.Background(), "x-client-id", "bench")
	payload := bytes.Repeat([]byte("x"), payloadBytes)
	for _, channel := range channels {
		var first tally
		connectCtx, cancel := context.WithTimeout(ctx, connectDeadline)
		first.call(connectCtx, channel, payload)
		cancel()
		if first.failures > 0 {
			return errors.New(first.lastError)
		}
	}
	fmt.Println(`{"event":"started"}`)
	endAt := time.Now().Add(time.Duration(*seconds) * time.Second)
	tallies := make([]tally, *connections**streams)
	var workers sync.WaitGroup
	for i := range tallies {
		workers.Go(func() {
			for time.Now().Before(endAt) {
				tallies[i].call(ctx, channels[i%len(channels)], payload)
			}
		})
	}
	workers.Wait()
	return report(tallies)
}

func report(tallies []tally) error {
	var total tally
	for _, t := range tallies {
		total.latenciesUs = append(total.latenciesUs, t.latenciesUs...)
		total.requests += t.requests
		total.failures += t.failures
		if t.lastError != "" {
			total.lastError = t.lastError
		}
	}
	var sum, p99 int64
	for _, latency := range total.latenciesUs {
		sum += latency
	}
	slices.Sort(total.latenciesUs)
	count := len(total.latenciesUs)
	if count > 0 {
		p99 = total.latenciesUs[min(count-1, count*99/100)]
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{
		"event":     "finished",
		"requests":  total.requests,
		"failures":  total.failures,
		"meanUs":    float64(sum) / float64(max(count, 1)),
		"p99Us":     p99,
		"lastError": total.lastError,
	})
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
