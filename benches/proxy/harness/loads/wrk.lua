-- Sends the requests of a file in turn. A line is a path and headers, with tabs between them.

local requests, next_one = {}, 0

function init(arguments)
    for line in io.lines(arguments[1]) do
        local path, headers = nil, {}
        for field in line:gmatch("[^\t]+") do
            local name, value = field:match("^([%w-]+): (.*)$")
            if name then headers[name] = value else path = field end
        end
        requests[#requests + 1] = wrk.format("GET", path, headers)
    end
end

function request()
    next_one = next_one % #requests + 1
    return requests[next_one]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        'RESULT {"requests": %d, "us": %d, "bytes": %d, "errors": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration, summary.bytes,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99)))
end
