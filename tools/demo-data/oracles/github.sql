SELECT parseDateTime(time, '%Y/%m/%d %H:%i:%s', 'UTC') AS time, count AS commits
FROM input('time String, count UInt16')
