package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// channel carries changes of configuration; the service's ACL user may subscribe below config: and do little else. A key of the same
// name holds the last one.
const channel = "config:backend"

// errRedis marks failures of Redis.
var errRedis = errors.New("redis")

// broker is Redis: a subscription that lives as long as the process, and pings on a small pool.
type broker struct {
	options *redis.Options
	client  *redis.Client
	changes *redis.PubSub
	reads   bool

	mu    sync.Mutex
	count received
}

// received is what came over the subscription, as far as messages are numbered.
type received struct {
	Count  uint64 `json:"count"`
	Missed uint64 `json:"missed"` // numbers that were left out between two messages
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
}

func openBroker(s settings) *broker {
	o := &redis.Options{
		Addr:     s.redisAddress,
		Username: s.redisUsername,
		Password: s.redisPassword,
		PoolSize: 2,
		// A refused login must be seen by the request that met it, not hidden by a second try.
		MaxRetries:    -1,
		DialerRetries: 1,
		DialTimeout:   10 * time.Second,
		ReadTimeout:   10 * time.Second,
		// The ACL user may run neither CLIENT SETINFO nor CLIENT MAINT_NOTIFICATIONS.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	client := redis.NewClient(o)
	b := &broker{options: o, client: client, changes: client.Subscribe(context.Background(), channel), reads: s.redisReads}
	go b.follow()
	return b
}

// follow takes what the subscription brings, reconnecting on its own, until close.
func (b *broker) follow() {
	for m := range b.changes.Channel() {
		if n, err := strconv.ParseUint(m.Payload, 10, 64); err == nil && n > 0 {
			b.take(n)
		}
	}
}

// take counts a message by its number.
func (b *broker) take(n uint64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c := &b.count; c.Count == 0 {
		c.First = n
	} else if n > c.Last+1 {
		c.Missed += n - c.Last - 1
	}
	b.count.Count++
	b.count.Last = max(b.count.Last, n)
}

// received is what was counted so far; nil where that is nothing.
func (b *broker) received() *received {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count.Count == 0 {
		return nil
	}
	c := b.count
	return &c
}

// read reads the key, where the service's user may.
func (b *broker) read(ctx context.Context) error {
	if !b.reads {
		return nil
	}
	if err := b.client.Get(ctx, channel).Err(); err != nil && !errors.Is(err, redis.Nil) {
		return errors.Join(errRedis, fmt.Errorf("reading from redis: %w", err))
	}
	return nil
}

func (b *broker) close() {
	_ = b.changes.Close()
	_ = b.client.Close()
}

func (b *broker) ping(ctx context.Context) error { return ping(ctx, b.client) }

// pingAnew pings on a connection opened for it alone.
func (b *broker) pingAnew(ctx context.Context) error {
	o := *b.options
	o.PoolSize = 1
	client := redis.NewClient(&o)
	defer client.Close()
	return ping(ctx, client)
}

func ping(ctx context.Context, client *redis.Client) error {
	if err := client.Ping(ctx).Err(); err != nil {
		return errors.Join(errRedis, fmt.Errorf("pinging redis: %w", err))
	}
	return nil
}
