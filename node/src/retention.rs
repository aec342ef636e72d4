//! Messages past their age are removed by a slow walk over the logs, so that nothing on a hot path has to.
