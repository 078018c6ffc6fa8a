"""The families of tasks: what single tasks differ in is data alone."""
