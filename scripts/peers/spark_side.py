"""The side of Spark's MLlib: seconds an iteration of ALS, as the difference of two runs."""

import json
import sys
import time

from pyspark.ml.recommendation import ALS
from pyspark.sql import SparkSession

EXTRA = 2
"""Iterations that the longer run has more."""


def main(case):
    spark = (
        SparkSession.builder.master(f"local[{case['threads']}]")
        .config("spark.driver.memory", "4g")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.local.dir", case["folder"])
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    pairs = spark.read.csv(case["pairs"], schema="user int, item int, rating float").cache()
    pairs.count()

    def seconds(rank, iterations):
        als = ALS(
            rank=rank,
            maxIter=iterations,
            regParam=case["regularization"],
            alpha=case["confidence"] - 1,
            implicitPrefs=True,
            numUserBlocks=case["threads"],
            numItemBlocks=case["threads"],
            seed=42,
        )
        started = time.monotonic()
        als.fit(pairs)
        return time.monotonic() - started

    seconds(case["factors"][0], 1)  # Until the JVM has compiled what it runs.
    return [(seconds(rank, 1 + EXTRA) - seconds(rank, 1)) / EXTRA for rank in case["factors"]]


print(json.dumps(main(json.loads(sys.argv[1]))))
