package load

import (
	"errors"
	"fmt"
	"net/url"
	"time"
)

// Config says what to send. Only URL must be set.
type Config struct {
	// URL is the backend's base address, such as http://10.96.0.20.
	URL string
	// Rate is the number of requests per second; zero is 200.
	Rate float64
	// Duration is how long to go on starting requests; zero goes on until the context ends or Stop is called.
	Duration time.Duration
	// FreshPercent is how many of a hundred requests open a connection of their own; the others use kept ones.
	// Zero is 50; a negative number is none.
	FreshPercent int
	// MaxInFlight bounds the requests under way. One that is due when the bound is reached is not sent. Zero is 2048: ten
	// seconds of a stall at 200 requests a second.
	MaxInFlight int
	// Timeout bounds each request from the moment it is sent: one that takes longer has failed. Zero is 30 s.
	Timeout time.Duration
	// IdleTimeout is how long a kept connection may lie unused before the client closes it. It must be shorter
	// than the time the backend goes on serving after SIGTERM, or the backend closes it first, perhaps just as
	// the next request is being written. Zero is 2 s.
	IdleTimeout time.Duration
	// TokenEvery makes every n-th request ask for a token; the others then carry one of those still valid.
	// Zero is 20; a negative number sends requests without tokens.
	TokenEvery int
}

func (c Config) withDefaults() Config {
	setDefault(&c.Rate, 200)
	setDefault(&c.FreshPercent, 50)
	setDefault(&c.MaxInFlight, 2048)
	setDefault(&c.Timeout, 30*time.Second)
	setDefault(&c.IdleTimeout, 2*time.Second)
	setDefault(&c.TokenEvery, 20)
	c.FreshPercent = max(c.FreshPercent, 0)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

func (c Config) validate() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return fmt.Errorf("reading the address of the backend: %w", err)
	}
	switch {
	case u.Scheme != "http" || u.Host == "":
		return fmt.Errorf("address of the backend %q: want http://host", c.URL)
	case c.Rate < 0:
		return fmt.Errorf("rate %v: want a positive number of requests per second", c.Rate)
	case c.FreshPercent > 100:
		return fmt.Errorf("share of fresh connections %d%%: want at most 100", c.FreshPercent)
	case c.MaxInFlight < 0:
		return errors.New("bound of requests in flight: want a positive number")
	}
	return nil
}
