package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// channel carries changes of configuration; the service's ACL user may subscribe below config: and do nothing else but ping.
const channel = "config:backend"

// errRedis marks failures of Redis.
var errRedis = errors.New("redis")

// broker is Redis: a subscription that lives as long as the process, and pings on a small pool.
type broker struct {
	options *redis.Options
	client  *redis.Client
	changes *redis.PubSub
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
		DialTimeout:   2 * time.Second,
		ReadTimeout:   2 * time.Second,
		// The ACL user may run neither CLIENT SETINFO nor CLIENT MAINT_NOTIFICATIONS.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	client := redis.NewClient(o)
	b := &broker{options: o, client: client, changes: client.Subscribe(context.Background(), channel)}
	go b.follow()
	return b
}

// follow takes what the subscription brings, reconnecting on its own, until close.
func (b *broker) follow() {
	for range b.changes.Channel() { //nolint:revive // the content does not matter to the demo, the session does
	}
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
