"""Others on the same machine, in the same minutes: chains of five steps that do nothing, each as its makers show it,
durable as it is by itself, warm, the same number of runs, 100 at a time; CPU of all its processes and servers."""
