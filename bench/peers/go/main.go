// A server on centrifuge, the library that Centrifugo is made of, as its README has it: anonymous
// clients subscribe and publish to any channel, the in-memory broker (its default) distributes.
//
// server PORT, or server version: what it was built from
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"path"
	"runtime/debug"
	"strings"

	"github.com/centrifugal/centrifuge"
)

func anonymous(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := centrifuge.SetCredentials(r.Context(), &centrifuge.Credentials{UserID: ""})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// One line each: name, space, version.
func versions() {
	build, _ := debug.ReadBuildInfo()
	fmt.Println("go", strings.TrimPrefix(build.GoVersion, "go"))
	for _, module := range build.Deps {
		if path.Base(module.Path) == "centrifuge" {
			fmt.Println("centrifuge", module.Version)
		}
	}
}

func main() {
	if os.Args[1] == "version" {
		versions()
		return
	}
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		log.Fatal(err)
	}
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, cb centrifuge.SubscribeCallback) {
			cb(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, cb centrifuge.PublishCallback) {
			cb(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		log.Fatal(err)
	}
	handler := centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{})
	http.Handle("/connection/websocket", anonymous(handler))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
