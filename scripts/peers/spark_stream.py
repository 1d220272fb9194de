"""Spark Structured Streaming: a topic to a Delta table, all that there is now. Prints rows and seconds as JSON.

Usage: spark_stream.py JARS_FOLDER BROKERS TOPIC TARGET_FOLDER
The seconds are those of the query alone: starting Spark is left out, to its advantage.
"""

import glob
import json
import sys
import time

from pyspark.sql import SparkSession

jars, brokers, topic, target = sys.argv[1:]
spark = (
    SparkSession.builder.master("local[*]")
    .config("spark.jars", ",".join(glob.glob(f"{jars}/*.jar")))
    .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
    .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.host", "127.0.0.1")
    .getOrCreate()
)
spark.sparkContext.setLogLevel("ERROR")
records = (
    spark.readStream.format("kafka")
    .option("kafka.bootstrap.servers", brokers)
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .option("includeHeaders", "true")
    .load()
    .select("topic", "partition", "offset", "timestamp", "key", "value", "headers")
)
started = time.monotonic()
query = (
    records.writeStream.format("delta")
    .option("checkpointLocation", f"{target}/checkpoint")
    .trigger(availableNow=True)
    .start(f"{target}/table")
)
query.awaitTermination()
seconds = time.monotonic() - started
rows = spark.read.format("delta").load(f"{target}/table").count()
print(json.dumps({"messages": rows, "seconds": seconds}), flush=True)
spark.stop()
