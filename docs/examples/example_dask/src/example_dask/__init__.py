"""The functions of example-host on partitions of the samples, with Dask."""
