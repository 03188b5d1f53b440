SELECT delay, distance, time AS hour
FROM input('delay Int16, distance UInt16, time Float32')
