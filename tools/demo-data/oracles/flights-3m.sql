SELECT toDateTime(date, 'UTC') AS date, origin, destination, delay, distance
FROM input('date DateTime64(6, ''UTC''), origin String, destination String, delay Int16, distance UInt16')
