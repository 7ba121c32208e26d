mod layer;
mod table;
