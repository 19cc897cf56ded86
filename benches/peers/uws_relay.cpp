// A relay on uWebSockets, with its own publish and subscribe: it speaks the messages of the other peers without tokens and
// signatures, has no presence, no recovery and no event streams. It is here to be measured against, as what the fastest C++
// library makes of the same work.
//
// Where it is flattered: JSON is not parsed but searched for the fields in the order in which the load sends them, and what a
// member says goes on as it came. Its bound for a slow reader is wider than any relay's should be (see maxBackpressure).

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <sys/socket.h>

#include "App.h"

using std::string_view;

namespace {

struct Nothing {};

/// The load's connections come 10,000 a second.
constexpr int BACKLOG = 4096;
constexpr unsigned MESSAGE_BYTES_MAX = 1 << 20;

/// The string that begins behind `before`; empty where there is none.
string_view text_after(string_view json, string_view before) {
    const size_t at = json.find(before);
    if (at == string_view::npos) {
        return {};
    }
    json.remove_prefix(at + before.size());
    const size_t end = json.find('"');
    return end == string_view::npos ? string_view{} : json.substr(0, end);
}

/// Subscribes to each name of `"channels":["a","b"]`, and confirms it with the list as it came.
void subscribe(auto *socket, string_view request) {
    constexpr string_view before = "\"channels\":[";
    const size_t at = request.find(before);
    const size_t end = request.find(']', at);
    if (at == string_view::npos || end == string_view::npos) {
        return;
    }
    const string_view list = request.substr(at + before.size(), end - at - before.size());
    for (size_t from = list.find('"'); from != string_view::npos;) {
        const size_t to = list.find('"', from + 1);
        if (to == string_view::npos) {
            break;
        }
        socket->subscribe(list.substr(from + 1, to - from - 1));
        from = list.find('"', to + 1);
    }
    std::string answer = "{\"type\":\"subscribed\",\"channels\":[";
    answer.append(list).append("]}");
    socket->send(answer, uWS::TEXT);
}

/// To all subscribers: the socket's own publish would leave its sender out.
void publish(uWS::App &app, string_view message) {
    const string_view channel = text_after(message, "\"channel\":\"");
    if (!channel.empty()) {
        app.publish(channel, message, uWS::TEXT);
    }
}

/// A server's publish is delivered with its type in front.
std::string delivered(string_view body) {
    std::string message = "{\"type\":\"message\",";
    if (!body.empty()) {
        message.append(body.substr(1));
    }
    return message;
}

}  // namespace

int main(int count, char **arguments) {
    const int port = count == 2 ? std::atoi(arguments[1]) : 0;
    if (port == 0) {
        std::cerr << "usage: peer-uws PORT\n";
        return 2;
    }
    uWS::App app;
    uWS::App::WebSocketBehavior<Nothing> behavior;
    behavior.maxPayloadLength = MESSAGE_BYTES_MAX;
    // It pings 8 seconds before its limit: whoever says nothing is pinged after 20 seconds, as by the other servers.
    behavior.idleTimeout = 28;
    // It drops messages silently beyond this; the load would count them as lost.
    behavior.maxBackpressure = 64 << 20;
    behavior.message = [&app](auto *socket, string_view message, uWS::OpCode) {
        if (message.starts_with("{\"type\":\"message\"")) {
            publish(app, message);
        } else if (message.starts_with("{\"type\":\"subscribe\"")) {
            subscribe(socket, message);
        }
    };
    app.ws<Nothing>("/ws", std::move(behavior));
    app.post("/publish", [&app](auto *response, auto *) {
        response->onAborted([] {});
        response->onData([&app, response, body = std::string()](string_view part, bool last) mutable {
            body.append(part);
            if (body.size() > MESSAGE_BYTES_MAX) {
                response->close();
            } else if (last) {
                response->end("{\"ok\":true}");
                publish(app, delivered(body));
            }
        });
    });
    app.listen("127.0.0.1", port, [](us_listen_socket_t *listener) {
        if (listener == nullptr) {
            std::cerr << "the port is not free\n";
            std::exit(1);
        }
        auto *socket = reinterpret_cast<us_socket_t *>(listener);
        const auto descriptor = reinterpret_cast<intptr_t>(us_socket_get_native_handle(0, socket));
        ::listen(static_cast<int>(descriptor), BACKLOG);
        std::cout << "listening" << std::endl;
    });
    app.run();
    return 1;
}
