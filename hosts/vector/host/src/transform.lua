-- What a pipeline's `source` holds, with a clock that the test sets.
local options = ...
options.now = function() return arrival end
local filter = require("kaudit").new(options)

return {
  process = function(event, emit) return filter:process(event, emit) end,
  flush = function(emit) filter:flush(emit) end,
  shutdown = function(emit) filter:shutdown(emit) end,
  stats = function() return filter:stats() end,
}
