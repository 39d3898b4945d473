package main

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/Khan/genqlient/graphql"
	"github.com/gorilla/websocket"
)

const pause = 100 * time.Millisecond

type dialer struct{ *websocket.Dialer }

func (d dialer) DialContext(ctx context.Context, url string, header http.Header) (graphql.WSConn, error) {
	conn, _, err := d.Dialer.DialContext(ctx, url, header)
	return conn, err
}

// connect returns a client for queries and mutations.
func connect(url string) graphql.Client {
	return graphql.NewClient(url, http.DefaultClient)
}

// follow watches keys until the context is cancelled; where the connection is lost, it goes on after the last update.
func follow(ctx context.Context, url string, keys []string, next func(UpdatesUpdatesUpdate)) {
	var after *string
	for ctx.Err() == nil {
		_ = followOnce(ctx, url, keys, after, func(update UpdatesUpdatesUpdate) {
			after = &update.Cursor
			next(update)
		})
		time.Sleep(pause)
	}
}

func followOnce(ctx context.Context, url string, keys []string, after *string, next func(UpdatesUpdatesUpdate)) error {
	client := graphql.NewClientUsingWebSocket(strings.Replace(url, "http", "ws", 1), dialer{websocket.DefaultDialer})
	lost, err := client.Start(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	answers, _, err := Updates(ctx, client, keys, after)
	if err != nil {
		return err
	}
	for {
		select {
		case answer, more := <-answers:
			if !more || answer.Errors != nil {
				return answer.Errors
			}
			next(answer.Data.Updates)
		case err := <-lost:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}
