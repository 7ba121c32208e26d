mod endpoints;
mod model;
mod service;
mod storm;
