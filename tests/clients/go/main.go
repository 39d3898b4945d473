// Obeys the commands of tests/clients/program.py with genqlient.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"sync"

	"github.com/Khan/genqlient/graphql"
)

type command struct {
	Do    string
	ID    int
	Key   string
	Value string
}

type answer struct {
	Answer *string `json:"answer"`
}

type update struct {
	ID    int     `json:"id"`
	Kind  string  `json:"kind"`
	Value *string `json:"value"`
}

var writing sync.Mutex

func write(message any) {
	writing.Lock()
	defer writing.Unlock()
	if err := json.NewEncoder(os.Stdout).Encode(message); err != nil {
		log.Fatal(err)
	}
}

func execute(ctx context.Context, client graphql.Client, c command) (*string, error) {
	switch c.Do {
	case "query":
		found, err := Value(ctx, client, c.Key)
		if err != nil || found.Value == nil {
			return nil, err
		}
		return found.Value.Value, nil
	case "set":
		written, err := Set(ctx, client, c.Key, c.Value)
		if err != nil {
			return nil, err
		}
		return written.Set.Entry.Value, nil
	default:
		_, err := Delete(ctx, client, c.Key)
		return nil, err
	}
}

func main() {
	url, ctx := os.Args[1], context.Background()
	client := connect(url)
	unsubscribe := map[int]context.CancelFunc{}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatal(err)
		}
		switch c.Do {
		case "subscribe":
			following, cancel := context.WithCancel(ctx)
			unsubscribe[c.ID] = cancel
			go follow(following, url, []string{c.Key}, func(found UpdatesUpdatesUpdate) {
				var value *string
				if found.Entry != nil {
					value = found.Entry.Value
				}
				write(update{c.ID, string(found.Kind), value})
			})
		case "unsubscribe":
			unsubscribe[c.ID]()
		default:
			value, err := execute(ctx, client, c)
			if err != nil {
				log.Fatal(err)
			}
			write(answer{value})
		}
	}
}
